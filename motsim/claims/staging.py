"""Three stages are needed against one, not against two.

Assumptions: N = 4, no noise tokens, the same number of steps for every schedule of a preset, step
sizes of the presets (one stage also with the best of five, chosen on three seeds). Ratios are
those of the runs that specialize with both schedules; one that stops at its budget gives a bound.

Statement: with fewer than three stages fewer runs specialize and reach 1e-3, or they reach eps
later. Found: two stages are the same runs through stage I, hence the same share, and as good or
faster by the steps of stage II, since without noise tokens there is nothing to align. One stage:
cubic experts of small weight get no gradient from plain descent and none reaches 1e-3. Linear
experts get there 6 to 10 times faster, then stay in a slow tail; no run of one stage gets to 1e-6
within the budget. Whether fewer do where one stage learns (linear experts, cubic ones with
normalized descent) is undecided with these seeds.

Kind: lower (on the ratio of steps: an advantage is above 1.1), lower (on the share, paired by
seed: a loss of more than 20 percentage points).

Source: reviews of arXiv:2510.27004 (reconstructed); the algorithm is the paper's.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding, Interval
from motsim.claims._outcomes import at_epsilon, outcomes, specialized
from motsim.claims._steps import step_ratio
from motsim.claims._undecided import needs
from motsim.results.tables import Tables
from motsim.statistics.confidence import resolve
from motsim.statistics.intervals import exact_share_interval

__all__ = ["CLAIM", "judge", "share_difference"]

CLAIM = Claim(
    statement="Three-stage training is needed: fewer stages learn more slowly or not at all.",
    source="arXiv:2510.27004, algorithm; asked for in its reviews",
    origin="reconstructed",
    prediction="T(eps) of fewer stages / T(eps) of three > 1.1, or fewer runs specialize",
    kind="lower",
)

TARGETS = (1e-3, 1e-6)
REFERENCE = "three_stage"
NUM_CLASSES = 4
#: A share that is lower by less than this is no reason for three stages.
MARGIN = 0.2


def share_difference(
    rows: pd.DataFrame, reference: pd.DataFrame, level: float | None = None
) -> Interval:
    """Share of runs that succeed minus that of the reference, paired by seed, with interval.

    A run succeeds that specializes and reaches the first target: with labels without meaning
    experts still align with classes, at a loss of 1/2. Only seeds with which one of the two
    succeeds count: the share of these and the alternative's part of them have exact limits (Clopper
    and Pearson), each at half the error, which hold together. NaN without seeds in common.
    """
    theirs, ours = (successes(runs) for runs in (rows, reference))
    both = theirs.index.intersection(ours.index)
    if both.empty:
        return Interval()
    a, b = theirs.loc[both], ours.loc[both]
    gained, lost = int((a & ~b).sum()), int((b & ~a).sum())
    each = 1 - (1 - resolve(level)) / 2
    either = exact_share_interval(gained + lost, len(both), each)
    part = exact_share_interval(gained, gained + lost, each).map(lambda end: 2 * end - 1)
    return Interval(
        (gained - lost) / len(both),
        part.low * (either.high if part.low < 0 else either.low),
        part.high * (either.high if part.high > 0 else either.low),
    )


def successes(rows: pd.DataFrame) -> pd.Series:
    """Whether the run of each seed specializes and reaches the first target."""
    near = at_epsilon(specialized(rows, NUM_CLASSES), TARGETS[0])
    runs = rows.drop_duplicates("run").set_index("seed")["run"]
    return runs.isin(near.loc[near["step"] >= 0, "run"])


@needs(CLAIM, "case schedule epsilon covered_classes")
def judge(tables: Tables) -> list[Finding]:
    """Judge each alternative of each preset against three stages."""
    main = tables.main
    findings = []
    for (case, schedule), rows in main.groupby(["case", "schedule"], sort=False):
        name, preset = f"{case} {schedule}", str(case).split("-")[0]
        reference = main[(main["case"] == preset) & (main["schedule"] == REFERENCE)]
        if schedule != REFERENCE:
            findings.append(share_finding(name, rows, reference))
            findings += [staging_finding(name, rows, reference, target) for target in TARGETS]
    return findings


def share_finding(name: str, rows: pd.DataFrame, reference: pd.DataFrame) -> Finding:
    """Compare how often runs specialize."""
    some = successes(reference).any()  # that an alternative could lose
    difference = share_difference(rows, reference) if some else Interval()
    return Finding(
        f"{name} share",
        f"share that specializes and reaches 1e-03, less that of three stages < {-MARGIN:g}",
        f"difference = {difference:+.2f}", difference.below(-MARGIN),
        f"{successes(rows).sum()} against {successes(reference).sum()} runs, paired by seed."
        f" {outcomes(rows, NUM_CLASSES)}. Three stages: {outcomes(reference, NUM_CLASSES)}",
        difference,
    )  # fmt: skip


def staging_finding(
    name: str, rows: pd.DataFrame, reference: pd.DataFrame, target: float
) -> Finding:
    """Compare one alternative with three stages at one target, given that both specialize."""
    found = step_ratio(rows, reference, target, NUM_CLASSES)
    runs = rows.drop_duplicates("run")
    loss = np.nan if runs.empty else runs["final_loss"].median()
    evidence = (
        f"{found.pairs} pairs of runs that both specialize, {found.late} and"
        f" {found.reference_late} stopped at the common budget before {target:.0e} (median final"
        f" loss of all runs {loss:.0e})"
    )
    return found.finding(f"{name} at {target:.0e}", "steps", "specialize", evidence)
