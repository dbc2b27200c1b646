"""Sampled routing on the quick tier, and settings that must turn its verdicts."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.claims.sampled_routing import drift, judge, routed, speeds
from motsim.experiments.mixture.run import Settings, prepare


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def swapped(tables, one, other):
    """The tables with two cases under each other's name."""
    swap = {one: other, other: one}

    def renamed(table):
        return table.assign(case=table["case"].replace(swap))

    others = {name: renamed(table) for name, table in tables.others.items()}
    return replace(tables, main=renamed(tables.main), others=others)


def test_noise_of_its_own_in_the_place_of_shared_noise_turns_the_verdicts(run_sweep):
    tables = run_sweep("sampled-routing")
    found = verdicts(judge(swapped(tables, "strong", "mirror")))
    assert (found["strong"], found["mirror"], found["speed"]) != ("fails", "holds", "holds")
    assert found["mirror"] == "fails"
    assert found["speed"] == "fails"
    found = verdicts(judge(swapped(tables, "linear", "linear-mirror")))
    assert found["linear-mirror"] == "fails"


@pytest.mark.parametrize("broken", [{"gate_rate": 0.0}, {"shuffle_labels": True}])
def test_without_a_gate_or_labels_no_run_is_routed(run_sweep, broken):
    cases = ["expected", "strong", "weak", "mirror"]
    tables = run_sweep("sampled-routing", seeds=4, cases=cases, **broken)
    assert not routed(tables.runs).any()
    assert "holds" not in {v for c, v in verdicts(judge(tables)).items() if c in cases}


def test_coverage_alone_hides_that_no_run_is_routed(run_sweep):
    runs = run_sweep("sampled-routing").runs
    strong = runs[runs["case"] == "strong"]
    assert (strong["covered_classes"] == 4).mean() > 0.2
    assert routed(strong).sum() == 0


def test_drift_by_hand():
    """No distractor: X > 0 unless none of the points of the class comes; 1 - (15/16)^48."""
    assert drift("distractor") == pytest.approx(1 - (15 / 16) ** 24, abs=0.003)
    assert drift(gamma=(1e-9, 1e-8)) == pytest.approx(1 - (15 / 16) ** 48, abs=0.003)
    assert drift() < drift("mirror") < drift(gamma=(0.25, 0.75))


def test_the_speed_tells_expected_routing_and_shared_noise_apart(run_sweep):
    tables = run_sweep("sampled-routing")
    assert speeds(tables, "strong").max() < 0.9 * drift("mirror")
    assert speeds(tables, "distractor").min() > 1.2 * drift("mirror")


@pytest.mark.parametrize(("sharing", "flips"), [("mirror", (-1, -1)), ("distractor", (1, -1))])
def test_points_that_share_noise_are_those_said(sharing, flips):
    settings = Settings(routing="sampled", routing_sharing=sharing, num_nodes=3)
    points, _ = prepare(settings)
    draws = points.draws
    assert (np.bincount(draws) == 2).all()
    first, second = np.argsort(draws, kind="stable").reshape(-1, 2).T
    label, sign = flips
    np.testing.assert_array_equal(points.labels[second], label * points.labels[first])
    want = points.tokens[first] * np.array([1, label, sign])[:, None]
    np.testing.assert_allclose(points.tokens[second], want, atol=1e-15)


def test_shared_noise_needs_sampled_routing_on_the_population():
    for wrong in ({"routing": "expected"}, {"sample_size": 100}, {"num_tokens": 4, "noise_std": 1}):
        with pytest.raises(ValueError, match="routing_sharing 'mirror' needs"):
            Settings(**{"routing": "sampled", "routing_sharing": "mirror", **wrong})


def test_noise_shared_with_the_mirror_keeps_the_gate_off_the_signals():
    """Linear experts from an orthogonal start; negative control: noise of its own."""
    from motsim.experiments.mixture.run import build_model, stages
    from motsim.mixture.training import train

    left = {}
    for sharing in ("mirror", "none"):
        settings = Settings(
            preset="linear", routing="sampled", routing_sharing=sharing, specialize_steps=50,
            align_steps=0, converge_steps=0,
        )  # fmt: skip
        points, start = prepare(settings)
        gate = train(build_model(settings), points, stages(settings), start).parameters.gate
        along = np.linalg.norm(gate @ points.signals.classification_signals.T)
        left[sharing] = along / np.linalg.norm(gate)
    assert left["mirror"] < 1e-10
    assert left["none"] > 1e-2
