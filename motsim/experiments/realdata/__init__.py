"""Training runs on samples of real data."""
