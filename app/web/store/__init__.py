"""What the pages themselves write: people, sessions, the audit trail, reviews. One SQLite file of the web process."""
