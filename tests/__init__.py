"""The tests: `make test` runs what this machine can, `make test-long` all of it."""
