"""A kind of run that computes next to nothing."""
