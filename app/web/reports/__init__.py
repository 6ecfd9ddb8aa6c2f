"""What of a lot can be taken away: its report, its signed certificate, and its pictures with what was found on them."""
