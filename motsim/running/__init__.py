"""Runs of a sweep over processes and machines, with what the user sees of them."""
