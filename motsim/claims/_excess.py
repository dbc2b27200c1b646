"""Loss curves of the last stage, and steps to a given excess over a floor read off them."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from motsim.rates import CENSORED
from motsim.results.tables import Tables

__all__ = ["excess_hits", "first_step", "last_stage_curve"]


def last_stage_curve(tables: Tables, *cases: str, axis: str = "seed") -> pd.DataFrame:
    """Rows of cases (case, seed, `axis`, step, loss); none where the table lacks a column."""
    curve = tables.with_columns("curve", "case", "seed", axis, "stage", "step", "loss")
    return curve[curve["case"].isin(cases) & (curve["stage"] == "converge")]


def excess_hits(
    curve: pd.DataFrame, seeds: Iterable[int], floor: float, targets: NDArray[np.float64]
) -> NDArray[np.int64]:
    """First steps (S, E) of the last stage with at most each excess over `floor`, by seed.

    `curve` (columns seed, step, loss) is of one setting's last stage.
    """
    rows = []
    for seed in seeds:
        own = curve[curve["seed"] == seed].sort_values("step")
        above = own["loss"].to_numpy(float) - floor
        step = own["step"].to_numpy(float) - own["step"].min()
        rows.append([first_step(step, above, target) for target in targets])
    return np.array(rows, dtype=np.int64).reshape(-1, len(targets))


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
