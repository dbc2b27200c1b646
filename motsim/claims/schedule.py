r"""The lengths T1 and T2 of stages I and II matter, T2 only in some settings.

Assumptions: N = 4, no noise tokens, a fixed total number of steps; stage III gets what is left.

Statements (derived or measured here).

* T1 has a threshold: too short and the rest of the budget does not make up for it. An expert's
  weight in stage I grows like eta_1 t, its output (cubic) like (eta_1 t)^3, and the gate's logits
  like eta_r eta_1^3 t^4, so the shortest T1 falls like eta_r^(-1/4); a linear expert would give
  -1/2 and a gate that does not matter 0 (derived here, up to logarithms).
* T2 matters only where there is something to align: no gain for cubic experts with attention near
  the identity (kappa = 8), a lower loss with attention that leaks (kappa = 4).
* Linear experts: stage II after 250 or 500 steps of stage I does harm, after 1,000 it does not, and
  leaving it out never does (measured; the cause was not isolated).

Kind: existence (threshold, in most seeds), tight (exponent), lower (effects of T2: the median over
seeds of decades of the final loss; a run that goes another way is decades off and moves a mean).

Source: reviews of arXiv:2510.27004 (reconstructed).
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Interval
from motsim.claims._undecided import needs
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import MIN_SEEDS, mean_interval, median_interval, share_interval

__all__ = ["CLAIM", "SUCCESS", "gate_exponent", "judge", "log_loss", "thresholds"]

CLAIM = Claim(
    statement="The lengths T1 and T2 of stages I and II matter for the loss after a fixed budget.",
    source="arXiv:2510.27004, theorem; asked for in its reviews",
    origin="reconstructed",
    prediction="a threshold in T1 that falls like eta_r^(-1/4); a lower loss with T2 > 0",
    kind="existence",
)

SUCCESS = 1e-3  # final loss of a run that specialized; those that did not end above 0.1
EXPONENT, HALF_DISTANCE = -0.25, 0.125  # neighboring hypotheses: 0 and -1/2
GAIN = 0.3  # decades of final loss: a factor of two
MOST = 0.5  # share of seeds with a threshold: one in forty never specializes, whatever T1


def log_loss(runs: pd.DataFrame, case: str) -> pd.DataFrame:
    """Final losses of a case in decades, one row (T1, T2), one column a seed; diverged: NaN."""
    part = runs[runs["case"] == case]
    loss = np.log10(part["final_loss"].where(part["status"] != Status.DIVERGED).astype(float))
    wide = part.assign(loss=loss)
    return wide.pivot_table(
        index=["specialize_steps", "align_steps"], columns="seed", values="loss", dropna=False
    )


def thresholds(runs: pd.DataFrame) -> pd.DataFrame:
    """Last T1 that fails and first that succeeds, by gate_rate, align_steps and seed."""
    rows = []
    keys = [k for k in ("gate_rate", "align_steps", "seed") if k in runs]
    for values, part in runs.groupby(keys, dropna=False, sort=True):
        part = part.sort_values("specialize_steps")
        steps = part["specialize_steps"].to_numpy(float)
        good = (part["final_loss"] <= SUCCESS).to_numpy()
        if good.any() and not good[0]:
            first = int(good.argmax())
            rows.append({**dict(zip(keys, values, strict=True)), "fails": steps[first - 1],
                         "succeeds": steps[first]})  # fmt: skip
    return pd.DataFrame(rows, columns=[*keys, "fails", "succeeds"])


def gate_exponent(brackets: pd.DataFrame) -> Interval:
    """Mean exponent of the threshold in the gate's step, from its extremes.

    Each seed gives two ends of a bracket; the interval reaches from the lower end of Student's
    interval of the lower ones to the upper end of that of the upper ones, so it covers at least
    what Student's does, and more the wider the brackets are. NaN below three seeds.
    """
    ends = brackets[brackets["gate_rate"].isin(brackets["gate_rate"].agg(["min", "max"]))]
    wide = ends.pivot_table(index="seed", columns="gate_rate", values=["fails", "succeeds"])
    wide = wide.dropna()
    if len(wide) < MIN_SEEDS or ends["gate_rate"].nunique() < 2:
        return Interval()
    slow, fast = sorted(ends["gate_rate"].unique())
    span = np.log(fast / slow)
    low = np.log(wide["fails"][fast] / wide["succeeds"][slow]) / span
    high = np.log(wide["succeeds"][fast] / wide["fails"][slow]) / span
    value = float((low + high).mean() / 2)
    return Interval(value, mean_interval(low).low, mean_interval(high).high)


def effect(runs: pd.DataFrame, case: str, t1: float | None, t2: float) -> np.ndarray:
    """Decades of final loss lost by T2 = 0 against T2 = t2, one number a seed (S,)."""
    table = log_loss(runs, case)
    if table.empty:
        return np.array([])
    levels = table.index.get_level_values("specialize_steps")
    t1 = float(levels.max()) if t1 is None else t1
    if not {(t1, 0.0), (t1, t2)} <= set(table.index):
        return np.array([])
    return np.asarray(table.T[(t1, 0.0)] - table.T[(t1, t2)], dtype=float)


@needs(CLAIM, "case specialize_steps align_steps final_loss")
def judge(tables: Tables) -> list[Finding]:
    """Judge threshold, its exponent, and the effect of T2 in three settings."""
    runs = tables.runs
    return [
        threshold_finding(runs[runs["case"] == "cubic"]),
        exponent_finding(runs[runs["case"] == "gate"]),
        effect_finding("T2 helps, kappa = 8", effect(runs, "cubic", None, 200.0)),
        effect_finding("T2 helps, kappa = 4", effect(runs, "leaky", None, 800.0)),
        effect_finding(
            "T2 harms linear experts at short T1", -effect(runs, "linear", 500.0, 200.0)
        ),
    ]


def threshold_finding(runs: pd.DataFrame) -> Finding:
    """Share of seeds that fail at some T1 > 0 and succeed at a longer one, at T2 = 0."""
    part = runs[(runs["align_steps"] == 0) & (runs["specialize_steps"] > 0)]
    found = thresholds(part)
    seeds = int(part.loc[part["final_loss"].notna(), "seed"].nunique())
    share = share_interval(len(found), seeds) if seeds >= MIN_SEEDS else Interval()
    span = f"T1* in [{found['fails'].min():.0f}, {found['succeeds'].max():.0f}]"
    return Finding(
        "threshold in T1",
        f"some T1 below which the budget does not help, in more than {MOST:.0%} of seeds",
        f"{len(found)} of {seeds} seeds {share.ends()}{f', {span}' if len(found) else ''}",
        share.above(MOST),
        f"{len(found)} of {seeds} seeds end above {SUCCESS:g} at the lower T1 and below it at the"
        " upper one, with the same number of steps in all",
        share,
    )  # fmt: skip


def exponent_finding(runs: pd.DataFrame) -> Finding:
    """Whether the threshold falls like the gate's step to the power -1/4."""
    exponent = gate_exponent(thresholds(runs)) if len(runs) else Interval()
    return Finding(
        "threshold against the gate's step", "T1* ~ eta_r^(-1/4)", f"exponent = {exponent}",
        exponent.within(EXPONENT - HALF_DISTANCE, EXPONENT + HALF_DISTANCE),
        "exponent between the smallest and the largest step size of the gate; the interval is over"
        f" {runs['seed'].nunique()} seeds and holds the spacing of the T1 that were tried",
        exponent,
    )  # fmt: skip


def effect_finding(name: str, decades: np.ndarray) -> Finding:
    """Whether the effect of T2 on the final loss, paired by seed, exceeds a factor of two."""
    lost = median_interval(decades)
    return Finding(
        name, f"effect > {GAIN} decades", f"{lost} decades", lost.above(GAIN),
        "final loss with T2 against T2 = 0 at the same T1 and total, median of"
        f" {len(decades)} pairs of seeds",
        lost,
    )  # fmt: skip
