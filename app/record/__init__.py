"""What is kept: the ledger and the pictures, their one writer, and the readers that pages and exports use."""
