"""A kind of run for faults."""
