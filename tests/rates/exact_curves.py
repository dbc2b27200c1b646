"""Exact curves in a table, and hitting times of a logarithm within a budget."""

import numpy as np
import pandas as pd

from motsim.rates import CENSORED
from tests.rates.synthetic import (
    FACTORS,
    grid,
)


def frame(steps, losses):
    """Put curves into a wide table."""
    return pd.DataFrame({f"run {k}": loss for k, loss in enumerate(losses)}, index=steps)


def exponential(per_decade=300.0, steps=4000):
    t = np.arange(1, steps + 1)
    return t, np.exp(-np.log(10.0) * t / (per_decade * FACTORS[:, None]))


def log_hits(budget=5000.0):
    eps = grid(0.5, 9)
    times = FACTORS[:, None] * (50.0 + 300.0 * np.log(1.0 / eps))
    return eps, np.where(times > budget, CENSORED, times)
