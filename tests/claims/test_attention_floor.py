"""Floors on the quick tier, and settings that must turn their verdicts."""

from dataclasses import replace

import pandas as pd

from motsim.claims.attention_floor import floors, judge, predicted_floor
from motsim.figures.attention_floor import draw as figures

LINEAR = ["moe-linear", "mot-linear"]


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def test_the_closed_form_on_known_numbers():
    assert predicted_floor(0.0, 8) == 0.0
    assert predicted_floor(1.0, 11) == 0.25  # tau = 1
    assert predicted_floor(1.0, 11, replicates=1000) < 0.25


def test_attention_fits_the_draws_it_was_trained_on(run_sweep):
    """Why the gain is judged on fresh draws; without attention the two floors nearly agree."""
    tables = run_sweep("attention-floor")
    gap = {}
    for case in LINEAR:
        rows = floors(tables, case)
        rows = rows[(rows["noise_std"] == 1.0) & (rows["num_tokens"] == 8)]
        gap[case] = (rows["fresh"] / rows["floor"]).median()
    assert gap["mot-linear"] > 1.5 > gap["moe-linear"] > 1.0


def test_without_fresh_draws_the_gain_is_not_judged(run_sweep):
    tables = run_sweep("attention-floor")
    blind = replace(tables, main=tables.main.drop(columns="fresh_loss"))
    assert verdicts(judge(blind))["mot-linear"] == "inconclusive"


def test_frozen_attention_turns_the_verdicts(run_sweep):
    """Uniform attention that never moves is no attention: the same floor as moe."""
    tables = run_sweep("attention-floor", seeds=3, cases=LINEAR, align_rate=0.0, noise_std=1.0)
    found = verdicts(judge(_with_axis(tables, "noise_std", 1.0)))
    assert found["mot-linear"] != "holds"
    assert found["alignment"] != "holds"


def test_shuffled_labels_turn_the_closed_form(run_sweep):
    tables = run_sweep(
        "attention-floor", seeds=3, cases=["moe-linear"], shuffle_labels=True, noise_std=1.0
    )
    found = verdicts(judge(_with_axis(tables, "noise_std", 1.0)))
    assert found["moe-linear"] != "holds"


def test_isotropic_noise_turns_the_closed_form(run_sweep):
    """Noise on the class signals keeps linear experts from specializing."""
    tables = run_sweep(
        "attention-floor", seeds=3, cases=["moe-linear"], noise_support="isotropic", noise_std=1.0
    )
    assert verdicts(judge(_with_axis(tables, "noise_std", 1.0)))["moe-linear"] != "holds"


def test_the_other_models_data_turn_the_verdicts(run_sweep):
    tables = run_sweep("attention-floor")
    swap = {"moe-linear": "mot-linear", "mot-linear": "moe-linear"}
    main = tables.main.assign(case=tables.main["case"].replace(swap))
    curve = tables.others["curve"]
    others = {**tables.others, "curve": curve.assign(case=curve["case"].replace(swap))}
    found = verdicts(judge(replace(tables, main=main, others=others)))
    assert (found["moe-linear"], found["mot-linear"]) == ("fails", "fails")


def test_without_runs_or_with_one_seed_nothing_is_concluded(run_sweep):
    tables = run_sweep("attention-floor")
    main = tables.main
    for part in (main[main["seed"] == 0], main.iloc[:0], main.iloc[:1]):
        found = judge(replace(tables, main=part, others=_of(tables.others, part)))
        assert {f.verdict for f in found} == {"inconclusive"}
    assert {f.verdict for f in judge(replace(tables, others={}))} == {"inconclusive"}
    lost = main.assign(status="diverged", final_loss=float("nan"))
    found = verdicts(judge(replace(tables, main=lost)))
    assert {found[case] for case in ("moe-linear", "mot-linear", "no-noise")} == {"inconclusive"}


def _of(others, part):
    seeds = set(part["seed"])
    return {name: frame[frame["seed"].isin(seeds)] for name, frame in others.items()}


def _with_axis(tables, axis, value):
    """An override removes its axis from the labels: put the column back."""
    others = {name: frame.assign(**{axis: value}) for name, frame in tables.others.items()}
    assert isinstance(tables.main, pd.DataFrame)
    return replace(tables, main=tables.main.assign(**{axis: value}), others=others)


def test_models_of_which_one_has_more_seeds_are_compared_on_those_of_both(run_sweep):
    """Without noise nothing was judged then, and the alignment was drawn empty."""
    tables = run_sweep("attention-floor")
    main, curve = tables.main, tables.others["curve"]
    moe = main[main["case"] == "moe-linear"]
    more = moe[moe["seed"] == 0].assign(seed=99, run="more")
    drawn = curve[(curve["case"] == "moe-linear") & (curve["seed"] == 0)].assign(seed=99)
    uneven = replace(
        tables,
        main=pd.concat([main, more]),
        others=tables.others | {"curve": pd.concat([curve, drawn])},
    )
    assert verdicts(judge(uneven))["no-noise"] == verdicts(judge(tables))["no-noise"] == "holds"
    figure = figures(uneven)["attention-floor-alignment"]
    assert all(len(line.get_xdata()) > 10 for line in figure.axes[1].get_lines())
    none = replace(uneven, main=uneven.main[uneven.main["case"] != "mot-linear"])
    assert verdicts(judge(none))["no-noise"] == "inconclusive"  # control
