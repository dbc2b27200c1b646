"""Numbers that are bad, censored, lost or of the other law: what fits and verdicts make of them.

F28, broken closed forms of rehearsal against the Monte Carlo check at the shipped number of runs,
is `tests/rehearsal/test_agreement.py`; wider forms of F12 and F27 are in
`tests/rates/test_lost_rows.py` and `tests/rates/test_decision.py`.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from motsim.claims._rates import case_decision, rate_finding
from motsim.experiments.mixture import run as mixture
from motsim.experiments.mixture.run import Settings, build_model, epsilon_grid, prepare, stages
from motsim.mixture.training import train
from motsim.plans.loading import load_sweep
from motsim.rates import CENSORED, supports
from tests.faults.harness import choices
from tests.rates.synthetic import curves, law_of

SMALL = {
    "num_classes": 2, "dim": 5, "num_experts": 3, "specialize_steps": 30, "align_steps": 10,
    "converge_steps": 60, "epsilon_min": 1e-3,
}  # fmt: skip


# --- F11: not a number ----------------------------------------------------------------------------


def first_bad_step(settings):
    """Step whose loss is the first that is not finite, found one step at a time from outside."""
    points, start = prepare(settings)
    schedule = stages(settings)
    total = sum(stage.steps for stage in schedule)
    for steps in range(total + 1):
        left, cut = steps, []
        for stage in schedule:
            cut.append(replace(stage, steps=min(stage.steps, left)))
            left -= cut[-1].steps
        with np.errstate(all="ignore"):
            trace = train(build_model(settings), points, cut, start, epsilons=[1e-300])
        if not np.isfinite(trace.final_loss):
            return steps
    return None


@pytest.mark.parametrize("rate", [1e3, 1e12])
def test_f11_loss_that_leaves_the_numbers_is_diverged_with_its_step(rate, record):
    settings = Settings(preset="single", **(SMALL | {"converge_rate": rate}))
    found = mixture.run(settings)
    assert found.status == "diverged"
    want = first_bad_step(settings)
    assert found.metrics["num_steps"] == want
    assert not np.isfinite(found.metrics["final_loss"])
    assert first_bad_step(Settings(preset="single", **SMALL)) is None  # control
    assert mixture.run(Settings(preset="single", **SMALL)).status != "diverged"
    record("F11", f"step size {rate:g}: row `diverged` with t = {want}, as found from outside")


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
@pytest.mark.parametrize("part", ["ffn", "attention", "gate"])
def test_f11_weight_that_is_not_a_number_is_diverged(value, part):
    settings = Settings(**SMALL)
    points, start = prepare(settings)
    name = next(field for field in start.__dataclass_fields__ if field.startswith(part[:3]))
    weights = getattr(start, name).copy()
    weights.flat[0] = value
    spoilt = replace(start, **{name: weights})
    assert start.is_finite()
    assert not spoilt.is_finite()
    with np.errstate(all="ignore"):
        trace = train(
            build_model(settings), points, stages(settings), spoilt,
            epsilons=epsilon_grid(settings).tolist(),
        )  # fmt: skip
    assert trace.status == "diverged"
    assert (trace.hitting_steps == CENSORED).all()


def rows_of(epsilons, hits, budget, diverged=0):
    """Main table of one case of `rates`; the last `diverged` runs carry tempting numbers."""
    rows = []
    for run, steps in enumerate(hits):
        bad = run >= len(hits) - diverged
        tempting = 10 * np.arange(1, len(epsilons) + 1) ** 2
        for epsilon, step in zip(epsilons, tempting if bad else steps, strict=True):
            rows.append(
                {
                    "case": "single-4-squared",
                    "run": f"{run:03}",
                    "status": "diverged" if bad else "reached",
                    "epsilon": epsilon,
                    "step": step,
                    "stage_step": step,
                    "stage_length": budget,
                    "num_steps": budget,
                }
            )
    return pd.DataFrame(rows)


def synthetic(name, seed, epsilons, seeds=6):
    """Hitting times of a law on a grid of epsilons; none is censored."""
    decades = np.log10(epsilons[0] / epsilons[-1])
    per_decade = round((len(epsilons) - 1) / decades)
    found, hits, _ = curves(
        **law_of(name), seed=seed, n=seeds, decades=decades, top=epsilons[0], per_decade=per_decade
    )
    np.testing.assert_allclose(found, epsilons, rtol=1e-9)
    return hits


def grid_of(case):
    """Epsilons of a case of the headline sweep, as shipped."""
    cells = load_sweep("rates").cells("quick")
    (settings,) = {cell.settings.epsilon_min: cell.settings for cell in cells
                   if cell.labels["case"] == case}.values()  # fmt: skip
    return epsilon_grid(settings)


def test_f11_diverged_run_never_enters_a_fit_and_is_counted(record):
    epsilons = grid_of("mot-squared")
    hits = synthetic("log", 3, epsilons, seeds=7)
    budget = max(hits.max(), 10 * len(epsilons) ** 2)
    rows = rows_of(epsilons, hits, budget, diverged=1)
    kept = case_decision(rows)
    clean = case_decision(rows[rows["status"] != "diverged"])
    assert replace(kept, num_diverged=0) == clean
    assert (kept.law, kept.num_diverged, kept.num_used) == ("log", 1, 6)
    finding = rate_finding("single-4-squared", rows, "log")
    assert "6 of 7 runs stay finite" in finding.evidence
    # Control: were its numbers used, the result would be another one.
    used = case_decision(rows.assign(status="reached"))
    assert used.margin != clean.margin
    # More than a quarter: no verdict.
    many = rows_of(epsilons, hits, budget, diverged=3)
    finding = rate_finding("single-4-squared", many, "log")
    assert finding.verdict == "inconclusive"
    assert "3 runs diverged" in finding.evidence
    record("F11", "1 of 7 runs diverged: fit as without it, counted; 3 of 7: inconclusive")


def test_f11_all_runs_diverged_is_inconclusive():
    epsilons = grid_of("mot-squared")
    rows = rows_of(epsilons, synthetic("log", 3, epsilons), 1e6, diverged=6)
    assert rate_finding("single-4-squared", rows, "log").verdict == "inconclusive"


# --- F12: rows that are censored or lost ----------------------------------------------------------


def stopped_early(rows, rng):
    """Eps not reached within the steps of the run: censored, as the store says it."""
    budget = np.ceil(rows["stage_step"].quantile(0.8))
    late = rows["stage_step"] > budget
    status = rows["status"].where(~late.groupby(rows["run"]).transform("any"), "max_steps")
    return rows.assign(
        stage_step=rows["stage_step"].where(~late, CENSORED), stage_length=budget, status=status
    )


def rows_dropped(rows, rng):
    """Rows at random that the table does not have."""
    return rows[rng.random(len(rows)) >= 0.2]


def slowest_dropped(rows, rng):
    """The slowest rows are those that the table does not have."""
    return rows[rows["stage_step"] <= rows["stage_step"].quantile(0.8)]


def run_dropped(rows, rng):
    """One run of six is not there at all."""
    return rows[rows["run"] != f"{rng.integers(6):03}"]


@pytest.mark.parametrize("seeds", [10, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("law", "case"), [("log", "mot-squared"), ("inverse", "single-4-squared")])
@pytest.mark.parametrize("drop", [stopped_early, rows_dropped, slowest_dropped, run_dropped])
def test_f12_fifth_of_the_rows_lost(seeds, law, case, drop, record):
    epsilons = grid_of(case)
    base = choices("F12").randrange(10**6)
    right, wrong = ("log", "power") if law == "log" else ("power", "log")
    count = Counter()
    for seed in range(base, base + seeds):
        hits = synthetic(law, seed, epsilons)
        rows = drop(rows_of(epsilons, hits, hits.max()), np.random.default_rng(seed))
        decision = case_decision(rows)  # what `rate_finding` asks, once for both claims
        for claim in (right, wrong):
            count[claim, supports(decision, claim)] += 1
    assert rate_finding(case, rows, right).verdict == supports(decision, right)
    assert count[right, "fails"] <= 0.01 * seeds, dict(count)
    assert count[wrong, "holds"] <= 0.01 * seeds, dict(count)
    record(
        "F12",
        f"{law} data, {drop.__name__}, {seeds} sets: {count[right, 'holds']} right,"
        f" {count[right, 'inconclusive']} inconclusive, 0 wrong",
    )


def test_f12_control_lost_rows_called_unreached_turn_the_verdict():
    """The same rows, but said to be unreached in twice the time: no longer a logarithm."""
    epsilons = grid_of("mot-squared")
    count = Counter()
    for seed in range(10):
        hits = synthetic("log", seed, epsilons)
        rows = rows_of(epsilons, hits, 2 * hits.max())
        late = rows["stage_step"] > rows["stage_step"].quantile(0.8)
        told = rows.assign(stage_step=rows["stage_step"].where(~late, CENSORED))
        count[rate_finding("mot-squared", told, "log").verdict] += 1
        count["clean"] += rate_finding("mot-squared", rows, "log").verdict == "holds"
    assert count["holds"] == 0
    assert count["clean"] >= 8


# --- F27: data of the other law -------------------------------------------------------------------


# 2,000 decisions over twelve decades: minutes alone on a core, and more than 600 s among other work
LONG = [pytest.mark.slow, pytest.mark.timeout(3600)]


@pytest.mark.parametrize("seeds", [20, pytest.param(1000, marks=LONG)])
@pytest.mark.parametrize("case", ["mot-squared", "single-4-squared"])
def test_f27_wrong_theory_at_the_shipped_grid(seeds, case, record):
    epsilons = grid_of(case)
    base = choices("F27").randrange(10**6)
    for law, right, wrong in (("log", "log", "power"), ("inverse", "power", "log")):
        count = Counter()
        for seed in range(base, base + seeds):
            hits = synthetic(law, seed, epsilons)
            rows = rows_of(epsilons, hits, hits.max())
            decision = case_decision(rows)
            for claim in (right, wrong):
                verdict = supports(decision, claim)
                count["right" if claim == right else "wrong", verdict] += 1
        assert count["wrong", "holds"] <= 0.01 * seeds, dict(count)
        assert count["right", "fails"] <= 0.01 * seeds, dict(count)
        assert count["right", "holds"] > 0.5 * seeds, dict(count)  # control: it can hold
        share = count["right", "inconclusive"] / seeds
        record(
            "F27",
            f"{law} data on the grid of {case}, {seeds} sets: wrong claim passes"
            f" {count['wrong', 'holds']}, right claim fails {count['right', 'fails']},"
            f" inconclusive {share:.1%}",
        )
