"""What helps people to see how a box is: its facts and processes, what it has said, and the bundle for support."""
