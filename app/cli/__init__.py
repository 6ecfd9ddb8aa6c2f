"""The command `takt`: thin commands, each a few lines over the rooms that do the work."""
