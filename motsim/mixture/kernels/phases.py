"""What a pass over the points does."""

from typing import NamedTuple

import numpy as np

# Not plain integers: numba would compile a pass for each of these literals.
FORWARD, BACKWARD, BOTH, DONE = np.int64(0), np.int64(1), np.int64(2), np.int64(3)


class PassMode(NamedTuple):
    """What one pass does, and for whom."""

    phase: (
        np.int64
    )  # FORWARD: outputs; BACKWARD: gradients, after it; BOTH: one block after the other
    dense: bool  # no expert is passed over
