"""Data sets: what people labelled elsewhere, checked, split without leaks and written in our own layout."""
