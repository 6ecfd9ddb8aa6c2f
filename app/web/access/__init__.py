"""Who may do what on the pages: people and machines, their sessions, what they changed, and what is refused."""
