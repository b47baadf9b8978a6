"""What is known of customers and of offers, as columns."""
