"""What runs of the claim class-imbalance show, beside what is derived for it."""

from functools import lru_cache

import numpy as np
import pandas as pd

from motsim.claims._cases import case_settings
from motsim.claims._counted import counted
from motsim.claims._outcomes import at_epsilon, specialized
from motsim.claims._plateau import predicted_plateau
from motsim.claims._race import hitting_steps, race, race_law
from motsim.experiments.mixture.run import Settings, prepare
from motsim.mixture.data import Mixture
from motsim.mixture.diagnostics import expert_classes
from motsim.mixture.occupancy import unequal_coupons
from motsim.results.tables import Tables

__all__ = [
    "DECADES", "NUM_CLASSES", "choices", "class_law", "covered", "derived_steps",
    "plateaus", "shares_of_race", "steps",
]  # fmt: skip

NUM_CLASSES = 4
KAPPA, INIT_STD, RATE, LENGTH, LATE_RATE = 8.0, 0.003, 0.001, 200, 0.01
START = 0.85  # of a at the last stage: eta_1 T_1 of the preset
DECADES = (1e-4, 1e-7)


def class_law(exponent: float) -> tuple[float, ...]:
    """Probabilities of the classes, commonest first."""
    return tuple(Mixture(NUM_CLASSES, 2 * NUM_CLASSES, class_exponent=exponent).class_law())


def shares_of_race(exponent: float, kappa: float = KAPPA) -> tuple[float, ...]:
    """Share of experts that take each class."""
    return race_law(
        class_law(exponent), init_std=INIT_STD, kappa=kappa, rate=RATE, steps=LENGTH
    )  # fmt: skip


def choices(tables: Tables) -> pd.DataFrame:
    """One row an expert of `choice`: class_exponent, seed, found, and the class each race names.

    Columns named (the race of its own start), sealed (without what leaks) and blind (equal
    classes); -1 is no class.
    """
    columns = ["class_exponent", "seed", "found", "named", "sealed", "blind"]
    asked = ("case", "class_exponent", "seed", "expert", "class", "step", "alignment")
    table = tables.with_columns("specialization", *asked)
    own = table[(table["case"] == "choice") & table["alignment"].notna()]
    parts = []
    for _, rows in own.groupby(["class_exponent", "seed"]):
        exponent, seed = float(rows["class_exponent"].iloc[0]), int(rows["seed"].iloc[0])
        last = rows[rows["step"] == rows["step"].max()]
        alignment = last.pivot(index="expert", columns="class", values="alignment")
        along, across = _overlaps(_settings(tables, "choice", exponent, seed).model_dump_json())
        if alignment.shape != along.shape:  # a table that was cut
            continue
        law, equal = np.array(class_law(exponent)), np.full(NUM_CLASSES, 0.25)
        races = {"named": (law, KAPPA), "sealed": (law, np.inf), "blind": (equal, KAPPA)}
        named = {
            name: race(along, across, weights, kappa=kappa, rate=RATE, steps=LENGTH)
            for name, (weights, kappa) in races.items()
        }
        found = expert_classes(alignment.to_numpy(float))
        part = {"class_exponent": exponent, "seed": seed, "found": found, **named}
        parts.append(pd.DataFrame(part))
    return (
        pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns, dtype=float)
    )


@lru_cache(maxsize=1024)
def _overlaps(text: str) -> tuple[np.ndarray, np.ndarray]:
    """<w, v_n> and <w, c_n> of a run at its start."""
    points, start = prepare(Settings.model_validate_json(text))
    w, signals = start.ffn[:, 0], points.signals
    return w @ signals.classification_signals.T, w @ signals.class_signals.T


def _settings(tables: Tables, case: str, exponent: float, seed: int) -> Settings:
    return case_settings("class-imbalance", tables, case, class_exponent=exponent, seed=seed)


def covered(runs: pd.DataFrame, case: str) -> pd.DataFrame:
    """Runs of a case that cover every class, by class_exponent and num_experts.

    Columns successes, trials, share, low, high (exact), race, law, equal (coupons of each).
    """
    rows = runs[(runs["case"] == case) & runs["covered_classes"].notna()]
    rows = rows.assign(success=(rows["covered_classes"] == NUM_CLASSES).astype(int))
    found = counted(rows, ["class_exponent", "num_experts"])
    sizes = list(zip(found["class_exponent"], found["num_experts"].astype(int), strict=True))
    found["race"] = [unequal_coupons(shares_of_race(a), m) for a, m in sizes]
    found["law"] = [unequal_coupons(class_law(a), m) for a, m in sizes]
    found["equal"] = [unequal_coupons(class_law(0.0), m) for a, m in sizes]
    return found


def derived_steps(exponent: float) -> float:
    """Steps of the last stage over `DECADES`."""
    law = np.array(class_law(exponent))
    first, last = hitting_steps(law, np.array(DECADES), start=START, rate=LATE_RATE)
    return float(last - first)


def steps(rows: pd.DataFrame) -> tuple[pd.Series, float]:
    """Steps of the last stage over `DECADES` by run, and as derived; rows of one exponent.

    Infinite where the smaller loss is not reached.
    """
    hits = []
    for end in DECADES:
        near = at_epsilon(rows, end)["stage_step"]
        hits.append(near.where(near >= 0).astype(float))
    taken = hits[1].fillna(np.inf) - hits[0].fillna(0.0)
    return taken, derived_steps(float(rows["class_exponent"].iloc[0]))


def plateaus(tables: Tables) -> pd.DataFrame:
    """Final loss and derived plateau (seed, measured, predicted) of `steep`'s specialized runs.

    What is left across v_n at the end of stage I stays, as a cubic unit is flat there
    (motsim/claims/_plateau.py).
    """
    good = specialized(tables.runs[tables.runs["case"] == "steep"], NUM_CLASSES)
    rows = [
        (seed, loss, predicted_plateau(_settings(tables, "steep", exponent, int(seed))))
        for seed, exponent, loss in zip(
            good["seed"], good["class_exponent"], good["final_loss"], strict=True
        )
    ]
    return pd.DataFrame(rows, columns=["seed", "measured", "predicted"], dtype=float)
