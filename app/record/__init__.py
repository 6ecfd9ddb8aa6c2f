"""What is kept: the ledger and the pictures, their one writer, and the readers that pages and exports use."""

LEDGER = "ledger"
PICTURES = "pictures"
DOCUMENTS = "documents"
"""The folders of the record within a box's state folder."""
