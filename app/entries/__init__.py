"""What each row of the process table does once it has been started: one module per kind, with a function `run`."""
