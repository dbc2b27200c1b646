"""Differences of two ways to do a thing, seed by seed."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["paired"]


def paired(
    rows: pd.DataFrame, column: str, by: str, first: str, second: str, unit: str = "seed"
) -> NDArray[np.float64]:
    """Column of the `first` minus that of the `second` kind in `by`, one a seed that has both."""
    wide = rows.pivot_table(index=unit, columns=by, values=column)
    if not {first, second} <= set(wide.columns):
        return np.array([])
    return (wide[first] - wide[second]).dropna().to_numpy(float)
