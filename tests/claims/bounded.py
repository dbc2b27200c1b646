"""How much of a claim's quick tier the tests run; the whole of it with the mark `slow`.

All quick tiers take a quarter of an hour of processor time. What is left out here is what costs
most; what is kept decides most verdicts, and never one otherwise (`test_recorded.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from motsim.plans.plan import Cell, Sweep

__all__ = ["BOUNDED", "Bound", "bounded_cells"]


@dataclass(frozen=True)
class Bound:
    """What the tests leave out of a quick tier.

    Attributes
    ----------
    without : tuple of str
        Cases.
    seeds : int or None
        At most so many of a setting; all if None.
    undecided : int
        Recorded verdicts that need what is left out.
    """

    without: tuple[str, ...] = ()
    seeds: int | None = None
    undecided: int = 0


HEADS = ("single-16-squared", "single-16-logistic", "single-4-squared")
BOUNDED = {
    "attention-floor": Bound(seeds=4),
    "class-imbalance": Bound(("enough",), undecided=1),
    "coverage": Bound(seeds=60),
    "finite-samples": Bound(seeds=16, undecided=1),
    "gradient-conflict": Bound(("single-16",), seeds=3, undecided=1),
    "load-balancing": Bound(("course-weak",), undecided=2),
    "optimizers": Bound(("single-adam",), seeds=6, undecided=3),
    "rate-matrix": Bound(("single-squared-gd",), seeds=12, undecided=1),
    "rate-mot": Bound(("curvature",), seeds=15, undecided=1),
    "rate-single": Bound(HEADS, undecided=4),
    "rates": Bound(HEADS, undecided=4),
    "realdata": Bound(
        ("complex-large-batches", "complex", "complex-linear", "relabeled"), undecided=13
    ),
    "realdata-staging": Bound(("cubic",), undecided=4),
    "realdata-synthetic": Bound(("single-cubic", "transformers-cubic"), undecided=2),
    "rehearsal-crossover": Bound(("crowded-first", "four-tasks"), undecided=4),
    "rehearsal-deep": Bound(
        ("rotation", "pairs-rotation", "heads-pixels", "labels", "pixels", "heads-rotation",
         "gentle-pairs", "classes"),
        undecided=18,
    ),
    "rehearsal-effects": Bound(("tasks",), undecided=3),
    "rehearsal-hybrid": Bound(("odd-last", "drifting", "alternating"), undecided=12),
    "rehearsal-memory": Bound(("dissimilar",), undecided=2),
    "rehearsal-schedule": Bound(("odd-inside", "drifting"), undecided=4),
    "rehearsal-theory": Bound(seeds=3),
    "sampled-routing": Bound(seeds=8),
    "schedule": Bound(seeds=6),
    "similarity": Bound(("cubic-n8", "linear-m32"), seeds=8, undecided=2),
    "strong-convexity": Bound(("single-16",), seeds=8, undecided=1),
}  # fmt: skip


def bounded_cells(sweep: Sweep, cells: Sequence[Cell]) -> list[Cell]:
    """Return those of a sweep's runs that are within its bound."""
    bound = BOUNDED.get(sweep.name, Bound())
    last = sweep.seed_start + bound.seeds if bound.seeds else float("inf")
    kept = [
        cell
        for cell in cells
        if cell.labels.get("case") not in bound.without and cell.labels["seed"] < last
    ]
    assert {cell.labels.get("case") for cell in cells} >= {*bound.without}, sweep.name
    return kept
