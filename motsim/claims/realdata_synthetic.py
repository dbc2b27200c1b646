r"""The published setting of Chen et al. through the ``.npz`` route, against the published means.

Assumptions
    Data of docs/theory.md §1 with 4 classes, 4 tokens (one of noise) of dimension 50 times 10,
    alpha in [0.5, 2], beta in [1, 2], gamma in [0.5, 3]; 16,000 training sequences, written as an
    .npz file and read by the loader. Mixture of 8 experts of 16 neurons with bias, no attention,
    normalized descent 0.001 an expert, gate 0.1 on the raw logit with uniform noise; one expert of
    128 neurons by Adam. Batches of 1,000 (print: all 16,000, as published).
Statement
    (a) Accuracies and dispatch entropies are the published ones. (b) The order is the published
    one: cubic mixture over linear mixture over any single expert.
Kind
    (a) tight: `holds` when Student's 95 % interval over the seeds lies within a tolerance of the
    published mean that is less than half of the distance to the next published mean, `fails` when
    it lies outside. (b) lower bound on the paired difference.
Source
    arXiv:2208.02813, experiments and published code (10 runs): quoted means. As there, the routing
    noise of training is kept at the test. Differences from the published code: one odd output
    instead of two, the gate sees the constant that gives the bias, the logistic loss once (there a
    softmax goes through a second one), no early stop on the training loss, and parameters of the
    best validation look. Criteria were fixed after a look at seeds 1000 and 1001.

What was found. Three of the four settings come out at the published means. Linear experts do better
here than published, 97 % against 93 ± 2, and divide the clusters a little more.
"""

import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._undecided import needs
from motsim.mixture.status import Status
from motsim.results.tables import Tables
from motsim.statistics.intervals import mean_interval

__all__ = ["CLAIM", "PUBLISHED", "accuracies", "entropies", "judge"]

CLAIM = Claim(
    statement=(
        "Cubic experts reach 99.5 % and one cluster each, linear experts 93 % without dividing the"
        " clusters; a single expert 68 to 80 %."
    ),
    source="arXiv:2208.02813, experiments (setting 1)",
    origin="quoted",
    prediction="published means of accuracy and dispatch entropy",
    kind="tight",
)

#: Case -> published accuracy in percent and its tolerance, dispatch entropy and its tolerance.
PUBLISHED: dict[str, tuple[float, float, float | None, float]] = {
    "mixture-cubic": (99.46, 1.0, 0.098, 0.3),
    "mixture-linear": (93.00, 3.0, 1.300, 0.3),
    "single-cubic": (79.6, 5.0, None, 0.0),
    "single-linear": (68.3, 5.0, None, 0.0),
}
ORDER = (
    ("mixture-cubic", "mixture-linear"), ("mixture-cubic", "single-cubic"),
    ("mixture-linear", "single-linear"),
)  # fmt: skip


def _of_case(tables: Tables, case: str) -> pd.DataFrame:
    rows = tables.main
    return rows[(rows["case"] == case) & (rows["status"] == Status.DONE)].set_index("seed")


def accuracies(tables: Tables, case: str) -> pd.Series:
    """Test accuracy in percent by seed, with the routing noise where there is a choice."""
    rows = _of_case(tables, case)
    error = rows["test_error" if case.startswith("single") else "noisy_error"]
    return 100 * (1 - error.astype(float))


def entropies(tables: Tables, case: str) -> pd.Series:
    """Dispatch entropy in nats by seed."""
    return _of_case(tables, case)["noisy_entropy"].astype(float)


@needs(CLAIM, "case seed status test_error noisy_error noisy_entropy")
def judge(tables: Tables) -> list[Finding]:
    """Judge the published means, and their order."""
    found = []
    for case, (accuracy, within, entropy, near) in PUBLISHED.items():
        values = accuracies(tables, case)
        found.append(_near(f"{case} accuracy", values, accuracy, within, "%"))
        if entropy is not None:
            values = entropies(tables, case)
            found.append(_near(f"{case} entropy", values, entropy, near, "nats"))
    for first, second in ORDER:
        gaps = (accuracies(tables, first) - accuracies(tables, second)).dropna()
        gap = mean_interval(gaps)
        measured = f"{gap:+.1f} points of accuracy"
        published = PUBLISHED[first][0] - PUBLISHED[second][0]
        evidence = f"published difference {published:+.1f} points ({len(gaps)} seeds here)"
        case = f"{first} over {second}"
        found.append(Finding(case, "> 0 points", measured, gap.above(0.0), evidence, gap))
    return found


def _near(case: str, values: pd.Series, published: float, within: float, unit: str) -> Finding:
    mean = mean_interval(values)
    measured = f"{mean:.2f} nats" if unit == "nats" else f"{mean:.1f} {unit}"
    evidence = f"published mean of 10 runs: {published:g} {unit}; here {len(values)} seeds"
    return Finding(
        case, f"{published:g} ± {within:g} {unit}", measured,
        mean.within(published - within, published + within), evidence, mean,
    )  # fmt: skip
