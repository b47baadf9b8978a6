"""What another policy would have achieved, told from logged decisions."""
