"""The pages: a Flask application that looks at the record, the status and the bus, and at nothing else."""
