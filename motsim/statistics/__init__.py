"""Intervals, shares, joint confidence and transitions."""
