"""What a pass over the points does."""

FORWARD, BACKWARD, BOTH = 0, 1, 2
