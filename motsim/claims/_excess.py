"""Steps to a given excess over a floor, read off a run's loss curve."""

import numpy as np

from motsim.rates import CENSORED

__all__ = ["first_step"]


def first_step(step: np.ndarray, above: np.ndarray, target: float) -> int:
    """First step with an excess `above` of at most `target`; `CENSORED` if it is not reached.

    Between two kept steps log(excess) is read off a line.
    """
    if not len(above) or above.min() > target:
        return CENSORED
    place = int((above <= target).argmax())
    if place == 0 or above[place] <= 0:
        return int(step[place])
    lines = np.log(above[place - 1 : place + 1])
    share = (lines[0] - np.log(target)) / (lines[0] - lines[1])
    return int(np.ceil(step[place - 1] + share * (step[place] - step[place - 1])))
