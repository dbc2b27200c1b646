"""Training runs on the mixture-of-classification data."""
