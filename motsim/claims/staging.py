"""Three stages are needed against one, not against two.

Assumptions: N = 4, no noise tokens, the same number of steps for every schedule of a preset; a run
that stops at its budget counts as T = budget, which favours the alternative.

Statement: three-stage training reaches eps in fewer steps than two stages (experts, then
experts and attention together) and than one stage (everything from the first step). Found: two
stages are as good or faster, by the steps of stage II, since without noise tokens there is nothing
to align. One stage never gets to 1e-6 within the budget: cubic experts of small weight get no
gradient from plain descent, and where it learns (normalised descent, linear experts) it is faster
down to 1e-3, then stays in a slow tail, and one start in six does not specialise.

Kind: lower (on the ratio of steps). An advantage is a ratio above 1.1.

Source: reviews of arXiv:2510.27004 (reconstructed); the algorithm is the paper's.
"""

import pandas as pd

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._missing import nothing
from motsim.claims.fair_baselines import ADVANTAGE, step_ratio
from motsim.intervals import above, share_interval, shown
from motsim.results.tables import Tables

__all__ = ["CLAIM", "judge", "specialised"]

CLAIM = Claim(
    statement="Three-stage training is needed: fewer stages learn more slowly or not at all.",
    source="arXiv:2510.27004, algorithm; asked for in its reviews",
    origin="reconstructed",
    prediction="T(eps) of two or one stage / T(eps) of three stages > 1.1",
    kind="lower",
)

TARGETS = (1e-3, 1e-6)
REFERENCE = "three_stage"
NUM_CLASSES = 4
#: Case and schedule -> verdict on "three stages are faster" at each of `TARGETS`.
EXPECTED: dict[str, tuple[Verdict, Verdict]] = {
    "cubic two_stage": ("fails", "fails"),
    "cubic end_to_end": ("holds", "holds"),
    "linear two_stage": ("fails", "fails"),
    "linear end_to_end": ("inconclusive", "holds"),
    "cubic-tuned end_to_end": ("inconclusive", "holds"),
    "linear-tuned end_to_end": ("inconclusive", "holds"),
}


def specialised(runs: pd.DataFrame) -> tuple[int, int]:
    """How many runs end with each expert serving one class and all classes served, of how many."""
    good = (runs["dispatch_entropy"] < 1e-3) & (runs["covered_classes"] == NUM_CLASSES)
    return int(good.sum()), len(runs)


def judge(tables: Tables) -> list[Finding]:
    """Judge each alternative of each preset against three stages."""
    main = tables.main
    if not {"case", "schedule", "epsilon", "dispatch_entropy"} <= set(main):
        return nothing(CLAIM)
    findings = []
    for (case, schedule), rows in main.groupby(["case", "schedule"], sort=False):
        name, preset = f"{case} {schedule}", str(case).split("-")[0]
        reference = main[(main["case"] == preset) & (main["schedule"] == REFERENCE)]
        if schedule != REFERENCE:
            verdicts = EXPECTED.get(name, ("inconclusive", "inconclusive"))
            for target, expected in zip(TARGETS, verdicts, strict=True):
                findings.append(staging_finding(name, rows, reference, target, expected))
    return findings or nothing(CLAIM)


def staging_finding(
    name: str, rows: pd.DataFrame, reference: pd.DataFrame, target: float, expected: Verdict
) -> Finding:
    """Compare one alternative with three stages at one target."""
    found = step_ratio(rows, reference, target)
    ratio, low, high = found["ratio"], found["low"], found["high"]
    runs = rows.drop_duplicates("run")
    count, total = specialised(runs)
    share = share_interval(count, total)
    sign = ">= " if found["late"] else ""
    return Finding(
        f"{name} at {target:.0e}",
        f"ratio of steps > {ADVANTAGE}",
        f"ratio = {sign}{shown(ratio, low, high)}",
        above(low, high, ADVANTAGE),
        expected,
        f"{found['late']} of {found['runs']} runs stopped at the common budget before {target:.0e}"
        f" (median final loss {runs['final_loss'].median():.0e}); experts specialised and covered"
        f" all classes in {count} of {total} [{share[0]:.2f}, {share[1]:.2f}]",
        ratio, low, high,
    )  # fmt: skip
