"""Ratios of steps to fair baselines, and settings that must turn the verdicts."""

import numpy as np
import pandas as pd
import pytest

from motsim.claims._work import multiply_adds
from motsim.claims.fair_baselines import AXES, DIM, MODELS, NUM_TOKENS, judge, tuned
from motsim.experiments.mixture.run import build_model
from motsim.mixture.model import Model
from motsim.plans.loading import load_sweep
from motsim.results.tables import Tables

MOT = ["mot to 1e-2", "mot to 1e-3", "mot to 1e-4"]


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def judged(tables, main):
    return {f.case: f for f in judge(Tables("fair-baselines", tables.meta, main, {}))}


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}], ids=str)
def test_a_broken_mixture_has_no_advantage(run_sweep, broken):
    """The mixture is broken, the baselines are the sound ones."""
    bad = run_sweep("fair-baselines", cases=MOT, **broken)
    tables = run_sweep("fair-baselines")
    main = tables.main[~tables.main["case"].isin(MOT)]
    main = pd.concat([main, bad.main], ignore_index=True)
    assert {f.verdict for f in judged(tables, main).values()} & {"holds"} == set()


def test_roles_exchanged_turn_the_verdict(run_sweep):
    tables = run_sweep("fair-baselines")
    swap = {f"{a} to 1e-4": f"{b} to 1e-4" for a, b in (("mot", "single-16"), ("single-16", "mot"))}
    found = judged(tables, tables.main.replace({"case": swap}))
    assert found["single-16 at 1e-04"].verdict == "fails"
    assert found["single-16 at 1e-02"].verdict == "holds"


@pytest.mark.parametrize("fate", [{"covered_classes": 3.0}, {"status": "diverged"}], ids=str)
def test_one_lost_run_of_the_mixture_is_counted_and_turns_nothing(run_sweep, fate):
    tables = run_sweep("fair-baselines")
    lost = tables.main["case"].isin(MOT) & (tables.main["seed"] == 1)
    before, after = judged(tables, tables.main), judged(tables, tables.main.assign(
        **{name: tables.main[name].mask(lost, value) for name, value in fate.items()}
    ))  # fmt: skip
    assert {c: f.verdict for c, f in after.items()} == {c: f.verdict for c, f in before.items()}
    total = tables.main["seed"].nunique()
    for case, finding in after.items():
        assert np.isfinite(finding.interval.value), case
        assert f"/{total} [" in finding.measured
        assert finding.measured != before[case].measured, case


def test_too_little_data_is_inconclusive(run_sweep):
    tables = run_sweep("fair-baselines")
    one = tables.main[tables.main["seed"] == 0]
    for main in (one, one.head(1), one.assign(status="diverged"), one.head(0)):
        assert {f.verdict for f in judged(tables, main).values()} <= {"inconclusive"}


def grid(steps, status="reached"):
    """Runs of a single transformer to 1e-2: {step size: steps by seed}."""
    rows = [
        {"converge_rate": rate, "seed": seed, "step": step, "run": f"{rate}-{seed}"}
        for rate, each in steps.items()
        for seed, step in enumerate(each)
    ]
    rows = pd.DataFrame(rows).assign(epsilon=1e-2, num_steps=500.0, stage_length=500.0)
    return rows.assign(status=np.where(rows["step"].isna(), "diverged", status))


def test_step_sizes_are_chosen_on_other_seeds_than_those_judged():
    """The middle one is best on the first three seeds, the last on the seeds that are judged."""
    rows = grid({0.1: [90] * 6, 0.2: [50] * 3 + [80] * 3, 0.4: [60] * 3 + [10] * 3})
    found = tuned(rows, 1e-2)
    assert found.settings == {"converge_rate": 0.2}
    assert sorted(found.rows["seed"]) == [3, 4, 5]
    assert found.at_end == ()
    assert tuned(rows[rows["converge_rate"] > 0.1], 1e-2).at_end == ("converge_rate",)
    alone = tuned(rows[rows["converge_rate"] == 0.2], 1e-2)  # nothing to choose: all are judged
    assert sorted(alone.rows["seed"]) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("fate", [None, -1], ids=["diverges", "stops"])
def test_a_step_size_that_loses_runs_pays_for_them(fate):
    quick = [40, fate, fate, fate, 40, 40, 40, 40]
    assert tuned(grid({0.1: [70] * 8, 0.2: quick}), 1e-2).settings == {"converge_rate": 0.1}
    # control: those runs apart it is the better one
    sound = [40] * 8
    assert tuned(grid({0.1: [70] * 8, 0.2: sound}), 1e-2).settings == {"converge_rate": 0.2}


def test_the_file_trains_what_is_counted_and_its_settings_are_inside_the_grids():
    sweep = load_sweep("fair-baselines")
    full = sweep.cells("full", seeds=1)
    for cell in sweep.cells("quick", seeds=1):
        name, _, ending = cell.labels["case"].partition(" to ")
        settings = cell.settings
        assert build_model(settings) == MODELS[name]
        assert (settings.dim, settings.num_tokens) == (DIM, NUM_TOKENS)
        assert settings.epsilon_min == float(ending)
        if name == "preset":
            continue
        swept = [c.labels for c in full if c.labels["case"] == cell.labels["case"]]
        for axis in set(AXES) & set(cell.labels):
            values = {labels[axis] for labels in swept}
            assert cell.labels[axis] in values, (name, axis)
            assert min(values) < cell.labels[axis] < max(values), (name, axis)


def test_multiply_adds_of_a_hand_example():
    """d = 2, L = 3, J = 1: A X is 12, X A X 18; <w, x> 6 and its mix 9, twice; gate 2 + 2."""
    one = Model("mot", 1)
    assert multiply_adds(one, 2, 3, "kept") == (2 * (6 + 9) + 4, 12 + 18)
    assert multiply_adds(one, 2, 3, "frozen") == (34 + 30, 0)
    assert multiply_adds(one, 2, 3, "trained") == (34 + 60 + 9, 0)
    # control: shared attention is paid once, experts without it pay none
    shared, moe = (multiply_adds(Model(kind, 4), 2, 3, "frozen")[0] for kind in ("shared", "moe"))
    assert (shared, moe) == (4 * 34 + 30, 4 * 16)
