"""What a report reads: run folders, their summaries and metrics, and the study that declares them."""
