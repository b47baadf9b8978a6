"""Who the customer is, and who is odd."""
