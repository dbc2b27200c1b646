"""Differences of two ways to do a thing, and ratios of what is measured and derived."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from motsim.claims import Finding, Interval

__all__ = ["paired", "ratio_finding"]


def paired(
    rows: pd.DataFrame, column: str, by: str, first: str, second: str, unit: str = "seed"
) -> NDArray[np.float64]:
    """Column of the `first` minus that of the `second` kind in `by`, one a seed that has both."""
    wide = rows.pivot_table(index=unit, columns=by, values=column)
    if not {first, second} <= set(wide.columns):
        return np.array([])
    return (wide[first] - wide[second]).dropna().to_numpy(float)


def ratio_finding(
    case: str, predicted: str, ratio: Interval, factor: float, evidence: str
) -> Finding:
    """Judge a ratio of measured and derived: one, within a factor."""
    measured = f"measured / derived = {ratio:.3f}"
    return Finding(case, predicted, measured, ratio.near(1.0, factor), evidence, ratio)
