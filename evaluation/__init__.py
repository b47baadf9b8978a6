"""Whether it works."""
