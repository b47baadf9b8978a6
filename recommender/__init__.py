"""What to suggest, and why."""
