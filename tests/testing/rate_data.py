"""Losses of two laws, and less than a decade of one."""

import numpy as np

FACTORS = np.array([1.0, 1.2, 0.9, 1.1, 1.05])
T = np.arange(4000.0)[:, None]
LOG = FACTORS * np.exp(-T[:300] / 12.0)
INVERSE = FACTORS / (1.0 + T)
SHORT = LOG[:25]  # less than a decade
