"""What a pass over the points does."""

import numpy as np

# Not plain integers: numba would compile a pass for each of these literals.
FORWARD, BACKWARD, BOTH, DONE = np.int64(0), np.int64(1), np.int64(2), np.int64(3)
