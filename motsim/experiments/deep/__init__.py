"""Rehearsal of small convolutional networks."""
