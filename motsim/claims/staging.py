"""Three stages are needed against one, not against two.

Assumptions: N = 4, no noise tokens, the same number of steps for every schedule of a preset, step
sizes of the presets (one stage also with the best of five, chosen on three seeds); a run counts
that covers every class at its end; one that does but stops at its budget counts as T = budget,
which favours the alternative.

Statement: with fewer than three stages fewer runs specialize, or those that do reach eps later.
Found: two stages are the same runs through stage I, hence the same share, and as good or faster by
the steps of stage II, since without noise tokens there is nothing to align. One stage: cubic
experts of small weight get no gradient from plain descent and specialize in one run of twenty;
where it learns (normalised descent, linear experts) it specializes about as often, is several
times faster down to 1e-3, then stays in a slow tail and never gets to 1e-6 within the budget.
With cubic experts a quarter of the specialized runs stop above 1e-3: undecided there.

Kind: lower (on the ratio of steps: an advantage is above 1.1), lower (on the share, paired by
seed; "no less often" holds to 20 percentage points).

Source: reviews of arXiv:2510.27004 (reconstructed); the algorithm is the paper's.
"""

import numpy as np
import pandas as pd
from scipy import stats

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._missing import nothing
from motsim.claims._outcomes import outcomes, specialized
from motsim.claims._steps import beside, step_ratio
from motsim.claims.fair_baselines import ADVANTAGE
from motsim.intervals import above, shown
from motsim.results.tables import Tables

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
LEVEL = 0.95
#: Case and schedule -> verdict on "three stages specialize more often", and on "are faster" at
#: each of `TARGETS`.
EXPECTED: dict[str, tuple[Verdict, Verdict, Verdict]] = {
    "cubic two_stage": ("fails", "fails", "fails"),
    "cubic end_to_end": ("holds", "inconclusive", "inconclusive"),
    "linear two_stage": ("fails", "fails", "fails"),
    "linear end_to_end": ("inconclusive", "fails", "holds"),
    "cubic-tuned end_to_end": ("inconclusive", "inconclusive", "holds"),
    "linear-tuned end_to_end": ("inconclusive", "fails", "holds"),
}
UNKNOWN: tuple[Verdict, Verdict, Verdict] = ("inconclusive", "inconclusive", "inconclusive")


def share_difference(
    rows: pd.DataFrame, reference: pd.DataFrame, level: float = LEVEL
) -> tuple[float, float, float]:
    """Share of runs that specialize minus that of the reference, paired by seed, with interval.

    Only seeds with which one of the two succeeds count: exact limits (Clopper and Pearson) of both
    of their shares, each at half the error, hold together. NaN without seeds in common.
    """
    ours, theirs = (
        runs.assign(good=runs.index.isin(specialized(runs, NUM_CLASSES).index)).set_index("seed")
        for runs in (reference.drop_duplicates("run"), rows.drop_duplicates("run"))
    )
    both = theirs.index.intersection(ours.index)
    if both.empty:
        return float("nan"), float("nan"), float("nan")
    a, b = theirs.loc[both, "good"], ours.loc[both, "good"]
    gained, lost = int((a & ~b).sum()), int((b & ~a).sum())
    up, down = (
        stats.binomtest(count, len(both)).proportion_ci(1 - (1 - level) / 2, method="exact")
        for count in (gained, lost)
    )
    value = (gained - lost) / len(both)
    return value, float(up.low - down.high), float(up.high - down.low)


def judge(tables: Tables) -> list[Finding]:
    """Judge each alternative of each preset against three stages."""
    main = tables.main
    if not {"case", "schedule", "epsilon", "covered_classes"} <= set(main):
        return nothing(CLAIM)
    findings = []
    for (case, schedule), rows in main.groupby(["case", "schedule"], sort=False):
        name, preset = f"{case} {schedule}", str(case).split("-")[0]
        reference = main[(main["case"] == preset) & (main["schedule"] == REFERENCE)]
        if schedule != REFERENCE:
            first, *others = EXPECTED.get(name, UNKNOWN)
            findings.append(share_finding(name, rows, reference, first))
            for target, expected in zip(TARGETS, others, strict=True):
                findings.append(staging_finding(name, rows, reference, target, expected))
    return findings or nothing(CLAIM)


def share_finding(
    name: str, rows: pd.DataFrame, reference: pd.DataFrame, expected: Verdict
) -> Finding:
    """Compare how often runs specialize."""
    value, low, high = share_difference(rows, reference)
    verdict: Verdict = "inconclusive"
    if high < 0:
        verdict = "holds"
    elif low > -MARGIN:
        verdict = "fails"
    return Finding(
        f"{name} share",
        "share that specializes lower than with three stages",
        f"difference = {shown(value, low, high, '+.2f')}",
        verdict,
        expected,
        f"{outcomes(rows, NUM_CLASSES)}. Three stages: {outcomes(reference, NUM_CLASSES)}; paired"
        f" by seed, fails if above {-MARGIN:g}",
        value, low, high,
    )  # fmt: skip


def staging_finding(
    name: str, rows: pd.DataFrame, reference: pd.DataFrame, target: float, expected: Verdict
) -> Finding:
    """Compare one alternative with three stages at one target, given that both specialize."""
    found = step_ratio(rows, reference, target, NUM_CLASSES)
    runs = rows.drop_duplicates("run")
    loss = np.nan if runs.empty else runs["final_loss"].median()
    return Finding(
        f"{name} at {target:.0e}",
        f"ratio of steps > {ADVANTAGE}",
        f"ratio = {found}; specialize {beside(found.baseline)} and {beside(found.reference)}",
        above(found.low, found.high, ADVANTAGE),
        expected,
        f"{found.pairs} pairs of runs that both specialize, {found.late} and"
        f" {found.reference_late} stopped at the common budget before {target:.0e} (median final"
        f" loss of all runs {loss:.0e})",
        found.value, found.low, found.high,
    )  # fmt: skip
