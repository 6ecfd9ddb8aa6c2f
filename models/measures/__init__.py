"""What is counted of a model: precision, escapes, overkill, and how sure each count is."""
