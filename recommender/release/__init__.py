"""The gate before a release."""
