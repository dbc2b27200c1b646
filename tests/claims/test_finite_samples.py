"""Finite samples on the quick tier, and settings that must turn the verdicts."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from motsim.claims.finite_samples import half, judge, learned, threshold
from motsim.claims.sampled_routing import routed
from motsim.experiments.mixture.run import Settings
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.points import sample
from motsim.statistics.intervals import jackknife_interval
from motsim.statistics.transitions import crossing

DATA = Mixture(3, 8, 5, noise_std=0.5)


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def renamed(tables, names):
    return replace(tables, main=tables.main.assign(case=tables.main["case"].replace(names)))


def test_samples_without_images_in_the_place_of_closed_ones_turn_the_verdict(run_sweep):
    tables = run_sweep("finite-samples")
    swap = {"closed-signs": "closed-mirror", "closed-mirror": "closed-signs"}
    assert verdicts(judge(renamed(tables, swap)))["closed-signs"] == "fails"
    swap = {"narrow": "strong", "strong": "narrow"}
    found = verdicts(judge(renamed(tables, swap)))
    assert found["narrow"] != "holds"
    assert found["strong"] != "fails"


def test_the_loss_of_another_population_turns_the_generalization(run_sweep):
    tables = run_sweep("finite-samples")
    worse = tables.main.assign(fresh_loss=4 * tables.main["fresh_loss"])
    assert verdicts(judge(replace(tables, main=worse)))["generalization"] == "fails"


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}])
def test_without_a_gate_or_labels_nothing_is_learned(run_sweep, broken):
    tables = run_sweep("finite-samples", seeds=4, cases=["narrow", "closed-signs"], **broken)
    assert not learned(tables.runs).any()
    assert "holds" not in verdicts(judge(tables)).values()


def test_a_small_sample_fakes_specialization(run_sweep):
    """Routed on the sample, wrong on the population: routing alone would set n* too low."""
    runs = run_sweep("finite-samples").runs
    rows = runs[(runs["case"] == "narrow") & (runs["sample_size"] <= 60)]
    assert routed(rows).sum() >= 1.5 * learned(rows).sum() > 0


@pytest.mark.parametrize("true_size", [100.0, 600.0])
def test_the_threshold_of_known_shares_is_found(true_size):
    """Shares 1/(1 + (n*/n)^2) at five sizes: the interval holds n* and not three times it."""
    rng = np.random.default_rng(1)
    sizes = np.array([50, 100, 200, 400, 800, 1600])
    chance = 1 / (1 + (true_size / sizes) ** 2)
    wide = pd.DataFrame((rng.random((200, 6)) < chance).astype(float), columns=sizes)
    found = threshold(wide)
    assert found.contains(true_size)
    assert true_size / 2 < found.low < found.value < found.high < true_size * 2


def test_the_interval_of_the_threshold_covers():
    """95 % meant, 100 trials of 12 seeds; an interpolated crossing in the same trials does not."""
    rng, x = np.random.default_rng(5), np.log([256, 512, 1024, 2048, 4096, 8192])
    truth = np.log(2000)
    chance, hits = 1 / (1 + np.exp(truth - x)), {"logistic": 0, "crossing": 0}
    for _ in range(100):
        values = (rng.random((12, 6)) < chance).astype(float)
        for name, place in (
            ("logistic", lambda v: half(v, x)),
            ("crossing", lambda v: crossing(1 - v, x)),
        ):
            hits[name] += jackknife_interval(values, place).contains(truth)
    assert hits["logistic"] >= 90 > hits["crossing"]


@pytest.mark.parametrize(
    ("closed", "images"),
    [("mirror", [(-1, -1)]), ("distractor", [(1, -1)]), ("signs", [(-1, -1), (1, -1), (-1, 1)])],
)
def test_a_closed_sample_holds_the_images(closed, images):
    points = sample(DATA, make_signals(DATA, 0), 40, seed=2, closed=closed)
    keys = {
        (y, *np.round(x[:3].ravel(), 9)) for y, x in zip(points.labels, points.tokens, strict=True)
    }
    assert len(keys) == 40
    for label, sign in images:
        flip = np.array([1, label, sign])[:, None]
        image = {
            (label * y, *(np.round(x[:3] * flip, 9) + 0.0).ravel())
            for y, x in zip(points.labels, points.tokens, strict=True)
        }
        assert image == keys
    assert points.weights.sum() == pytest.approx(1.0)
    assert points.mirrored == (closed != "distractor")


def test_mirrored_means_that_the_second_half_is_the_mirror_of_the_first():
    points = sample(DATA, make_signals(DATA, 0), 40, seed=2, closed="signs")
    first, second = points.tokens[:20], points.tokens[20:]
    np.testing.assert_array_equal(second[:, 0], first[:, 0])
    np.testing.assert_array_equal(second[:, 1:], -first[:, 1:])
    np.testing.assert_array_equal(points.labels[20:], -points.labels[:20])


def test_a_closed_sample_needs_a_size_that_fits():
    for closed, size in (("mirror", 0), ("distractor", 7), ("signs", 6)):
        with pytest.raises(ValueError, match=f"sample_closed '{closed}' needs"):
            Settings(sample_closed=closed, sample_size=size)
    with pytest.raises(ValueError, match="even size"):
        sample(DATA, make_signals(DATA, 0), 7, closed="mirror")


def test_new_samples_are_new_in_each_step_and_controls_learn_nothing(run_sweep):
    runs = run_sweep("finite-samples").runs
    rows = runs[runs["case"] == "anew"]
    assert learned(rows).mean() > 0.5
    few = runs[(runs["case"] == "narrow") & (runs["sample_size"] == runs["sample_size"].min())]
    assert learned(few).mean() < 0.5  # the same samples in every step, four times as many
    tables = run_sweep("finite-samples", seeds=3, cases=["anew"], gate_rate=0.0)
    assert not learned(tables.runs).any()
