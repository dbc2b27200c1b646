"""What is kept of a run along its way: points of the loss curve, and the course of routing."""

import numpy as np
import pytest

from motsim.experiments.mixture.run import Settings, run
from motsim.mixture.diagnostics import expert_classes

SMALL = {"num_classes": 2, "dim": 6, "num_experts": 4, "specialize_steps": 90, "align_steps": 60,
         "converge_steps": 150, "distractor_amplitude": (2.0, 2.0)}  # fmt: skip


def losses(result):
    curve = result.tables["curve"]
    return dict(zip(curve["step"], curve["loss"], strict=True))


@pytest.mark.parametrize("more", [{}, {"new_samples": 4, "converge_steps": 60}])
def test_fewer_points_are_some_of_the_same_curve_of_the_same_run(more):
    many = run(Settings(**{**SMALL, **more}))
    few = run(Settings(**{**SMALL, **more}, curve_points=6))
    assert (few.status, few.metrics) == (many.status, many.metrics)
    assert few.tables["hits"] == many.tables["hits"]
    assert losses(few).items() < losses(many).items()
    assert len(losses(few)) < 0.3 * len(losses(many))
    ends = (0, max(losses(many)))
    assert set(ends) <= set(losses(few))
    other = run(Settings(**{**SMALL, **more}, curve_points=6, seed=1))  # control: another run
    assert not losses(other).items() <= losses(many).items()


def test_few_points_are_another_key_and_the_usual_number_is_not_told():
    assert "curve_points" not in Settings(curve_points=200).model_dump()
    assert Settings(curve_points=20).model_dump()["curve_points"] == 20
    with pytest.raises(ValueError, match="curve_points"):
        Settings(curve_points=1)


def test_the_course_is_what_both_matrices_say():
    measures = ("specialization", "routing", "course")
    result = run(Settings(**SMALL, measures=measures))
    course, aligned, shares = (result.tables[n] for n in ("course", "specialization", "routing"))
    shape = (len(course["step"]), 4, 2)
    assert shape[0] > 10
    alignment = np.array(aligned["alignment"]).reshape(shape)
    share = np.array(shares["share"]).reshape(shape)
    for place in range(shape[0]):
        own = expert_classes(alignment[place])
        right = share[place][np.arange(4), own] * (own >= 0)
        assert course["accuracy"][place] == pytest.approx(right.sum(), abs=1e-12)
        load = share[place].sum(axis=1, keepdims=True)
        part = np.divide(share[place], load, out=np.ones((4, 2)), where=share[place] > 0)
        entropy = -(share[place] * np.log(part)).sum()
        assert course["entropy"][place] == pytest.approx(entropy, abs=1e-12)
    assert course["accuracy"][-1] == pytest.approx(result.metrics["routing_accuracy"], abs=1e-12)
    assert len({round(value, 6) for value in course["accuracy"]}) > 1  # control: it has a course


def test_a_course_is_looked_at_where_matrices_are():
    """As often as these, alone or not: figures draw both at the same steps."""
    alone = run(Settings(**SMALL, measures=("course",))).tables["course"]["step"]
    beside = run(Settings(**SMALL, measures=("course", "routing"))).tables["routing"]["step"]
    assert alone == sorted(set(beside))
    more = run(Settings(**SMALL, measures=("course", "conflict"))).tables["course"]["step"]
    assert len(more) > len(alone)  # control


def test_fewer_snapshots_are_some_of_the_same():
    measures = ("routing", "course")
    many = run(Settings(**SMALL, measures=measures))
    few = run(Settings(**SMALL, measures=measures, snapshots=[6, 2]))
    assert (few.metrics, few.tables["hits"]) == (many.metrics, many.tables["hits"])
    for name in measures:
        rows, all_rows = (set(zip(*t.tables[name].values(), strict=True)) for t in (few, many))
        assert rows < all_rows
    steps = {
        stage: {s for s, name in zip(*(t.tables["course"][n] for n in ("step", "stage")),
                                     strict=True) if name == stage}
        for t in (few,) for stage in ("specialize", "align", "converge")
    }  # fmt: skip
    assert len(steps["specialize"]) == len({*np.linspace(0, 90, 6), *STEPS}) - 1
    assert steps["align"] == {90, 91}  # its end is the start of the next one
    other = run(Settings(**SMALL, measures=measures, snapshots=[6, 2], seed=1))  # control
    assert not set(zip(*other.tables["course"].values(), strict=True)) <= all_rows
    with pytest.raises(ValueError, match="snapshots"):
        Settings(measures=measures, snapshots=[1])


STEPS = np.geomspace(1, 90, 6).round()
