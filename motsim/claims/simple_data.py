r"""Simple data: one expert suffices; complex data: experts divide the work.

Assumptions
    Linear experts from the orthogonal start; weak, medium and strong distractors of amplitude
    gamma in [0.1, 0.3], [0.3, 0.9] and [1, 3]; N = 2 and 4 classes (print: 8 too).
Statement
    With weak distractors one expert reaches 10 % of the untrained loss; with strong ones it does
    not, and a mixture of 32 experts whose experts divide the classes does, by a factor of ten.
Kind
    Upper for "suffices", existence for the division, tight for the floor of one expert.
Source
    arXiv:2510.27004, introduction (reconstructed); the floor is derived here.

The floor. With uniform attention one linear expert is w . sum of tokens. By symmetry its best w has
one value u = <w, v_n> for all n, so the loss is ((1 - u)^2 + u^2 E gamma^2) / 2 and its minimum
E gamma^2 / (2 (1 + E gamma^2)), whatever the number of classes and their similarity (below 1).
What was found. The distractors, not the number of classes, make data complex. A mixture does not
notice that data are simple: it divides the classes all the same, because each class follows the
expert that starts nearest to it, needed or not.
Not in the sweep: one *cubic* expert on weak distractors, N = 4, rho = 0, ends at 0.25 to 0.38
(3 seeds, 4,000 steps of stage III), far above its floor: it has not learned all four classes. So
"suffices" is shown here for linear experts only. The threshold was set after a first look.
"""

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._undecided import undecided
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import MIN_SEEDS, mean_interval, share_interval

__all__ = ["AMPLITUDES", "CLAIM", "floor", "judge", "labeled"]

CLAIM = Claim(
    statement="On simple data one expert suffices; on complex data experts divide the work.",
    source="arXiv:2510.27004, introduction",
    origin="reconstructed",
    prediction=(
        "one expert's loss is E g^2 / (2 (1 + E g^2)), g the distractor's amplitude: small for weak"
        " distractors; for strong ones a mixture is ten times better and uses N experts"
    ),
    kind="existence",
)

#: Range of the distractor's amplitude by strength; the sweep file has the same numbers.
AMPLITUDES = {"weak": (0.1, 0.3), "medium": (0.3, 0.9), "strong": (1.0, 3.0)}
ENOUGH = 0.05  # a tenth of the untrained loss 1/2
FACTOR = 10.0
CLOSE = 0.01  # relative distance to the floor; neighboring strengths differ by factors
MOST = 0.5
NEEDED = ["seed", "num_classes", "similarity", "final_loss", "used_experts", "dispatch_entropy"]


def floor(strength: str) -> float:
    """Least loss of one linear expert with uniform attention (derived).

    >>> round(floor("strong"), 3)
    0.406
    """
    low, high = AMPLITUDES[strength]
    second = (low**2 + low * high + high**2) / 3.0
    return second / (2.0 * (1.0 + second))


def labeled(tables: Tables) -> pd.DataFrame:
    """Finished runs with columns kind (one-frozen, one, mixture), strength and predicted floor."""
    runs = tables.runs if len(tables.main) else pd.DataFrame()
    if not {"case", *NEEDED} <= set(runs.columns):
        return pd.DataFrame(columns=[*NEEDED, "kind", "strength", "floor"])
    good = runs[(runs["status"] != Status.DIVERGED) & np.isfinite(runs["final_loss"].astype(float))]
    parts = good["case"].astype(str).str.rsplit("-", n=1)
    good = good.assign(kind=parts.str[0], strength=parts.str[-1])
    good = good[good["strength"].isin(list(AMPLITUDES))]
    return good.assign(floor=good["strength"].map(floor))


def judge(tables: Tables) -> list[Finding]:
    """Judge the five parts of the claim."""
    runs = labeled(tables)
    one, mixture = runs[runs["kind"] == "one"], runs[runs["kind"] == "mixture"]
    parts = (
        ("one-suffices-weak", _suffices, one[one["strength"] == "weak"]),
        ("one-suffices-strong", _suffices, one[one["strength"] == "strong"]),
        ("divide-strong", _divide, _pairs(mixture, one)),
        ("one-used-weak", _one_used, mixture[mixture["strength"] == "weak"]),
        ("floor-of-one", _floor, runs[runs["kind"] == "one-frozen"]),
    )
    few = "too few runs", f"fewer than {MIN_SEEDS} seeds of a setting finished"
    return [
        part(case, rows) if rows["seed"].nunique() >= MIN_SEEDS else undecided(case, "", *few)
        for case, part, rows in parts
    ]


def _pairs(mixture: pd.DataFrame, one: pd.DataFrame) -> pd.DataFrame:
    """Mixtures on strong distractors and orthogonal classes, with the loss of one expert beside."""
    keys = ["strength", "num_classes", "similarity", "seed"]
    pairs = mixture.merge(one[[*keys, "final_loss"]], on=keys, suffixes=("", "_one"))
    return pairs[(pairs["strength"] == "strong") & (pairs["similarity"] == 0.0)]


def _suffices(case: str, rows: pd.DataFrame) -> Finding:
    """Worst setting of each seed against a tenth of the untrained loss."""
    loss = mean_interval(rows.groupby("seed")["final_loss"].max())
    evidence = (
        f"trained through all stages, one expert ends at {loss.value:.3f} in its"
        f" worst setting over N and rho; its floor without attention is {rows['floor'].max():.3f}"
    )
    predicted = f"loss of one expert <= {ENOUGH:g}"
    measured = f"loss of one expert {loss:.3f}"
    return Finding(case, predicted, measured, loss.at_most(ENOUGH), evidence, loss)


def _divide(case: str, pairs: pd.DataFrame) -> Finding:
    """Orthogonal classes: a mixture a factor ten better that uses at least N experts."""
    better = pairs["final_loss"] * FACTOR <= pairs["final_loss_one"]
    divided = (pairs["used_experts"] >= pairs["num_classes"]) & (pairs["dispatch_entropy"] < 0.05)
    right = (better & divided).groupby(pairs["seed"]).all()
    share = share_interval(int(right.sum()), len(right))
    measured = f"{int(right.sum())} of {len(right)} seeds {share.ends()}"
    evidence = (
        f"with strong distractors the mixture ends at {pairs['final_loss'].median():.1e} (median)"
        f" against {pairs['final_loss_one'].median():.2f} for one expert, one or more experts for"
        f" each class, in {int(right.sum())} of {len(right)} seeds"
    )
    predicted = (
        f"mixture {FACTOR:g} times better, classes divided, in more than {MOST:.0%} of seeds"
    )
    return Finding(case, predicted, measured, share.above(MOST), evidence, share)


def _one_used(case: str, rows: pd.DataFrame) -> Finding:
    """Judge whether a mixture on simple data uses a single expert."""
    per_class = (rows["used_experts"] / rows["num_classes"]).groupby(rows["seed"]).mean()
    used = mean_interval(rows.groupby("seed")["used_experts"].mean())
    measured = f"{used:.1f} experts used, {per_class.mean():.2f} a class"
    evidence = (
        f"on data that one expert could serve, the mixture still uses {used.value:.1f} experts,"
        f" {per_class.mean():.2f} a class: each class follows the expert that starts nearest to it"
    )
    return Finding(case, "one expert used", measured, used.below(1.5), evidence, used)


def _floor(case: str, rows: pd.DataFrame) -> Finding:
    """Ratio of the final loss to the closed form, in the worst setting of each seed."""
    ratio = rows["final_loss"] / rows["floor"]
    worst = ratio.loc[(ratio - 1.0).abs().groupby(rows["seed"]).idxmax()]
    mean = mean_interval(worst)
    measured = f"measured / predicted = {mean:.4f} (worst setting)"
    evidence = (
        f"one expert with uniform attention ends at {mean.value:.4f} times the"
        " derived floor in its worst setting over strength, N and rho"
    )
    predicted = "1: " + ", ".join(f"{s} {floor(s):.4f}" for s in AMPLITUDES)
    return Finding(case, predicted, measured, mean.within(1 - CLOSE, 1 + CLOSE), evidence, mean)
