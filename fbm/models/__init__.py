"""Networks and losses: torch alone."""
