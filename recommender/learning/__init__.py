"""Learning from past moments what the sources are worth, and whether scores are probabilities."""
