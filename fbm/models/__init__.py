"""Networks and losses: torch and fbm.utils alone."""
