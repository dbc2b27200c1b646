"""Steps on samples that are drawn anew: against a plain loop, and what the settings refuse."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from motsim.experiments.mixture.run import Settings, build_model, prepare, run, stages
from motsim.experiments.mixture.settings import mixture as data_of
from motsim.mixture import anew
from motsim.mixture.anew import train_anew
from motsim.mixture.draws import draw
from motsim.mixture.evaluation import evaluate
from motsim.mixture.points import Points
from motsim.mixture.training import train
from motsim.randomness import generator

SMALL = {
    "num_classes": 2, "dim": 6, "num_experts": 3, "specialize_steps": 12, "align_steps": 0,
    "converge_steps": 9, "converge_rate": 0.02, "epsilon_min": 1e-6, "init_std": 0.3,
    "distractor_amplitude": (0.5, 1.5),
}  # fmt: skip
KINDS = {
    "cubic": {},
    "all stages, noise tokens": {"num_tokens": 5, "noise_std": 0.5, "align_steps": 6},
    "all stages": {"align_steps": 6},
    "three classes": {"num_classes": 3},
    "linear, noise tokens": {"activation": "linear", "num_tokens": 4, "noise_std": 0.5},
    "linear, logistic": {"activation": "linear", "loss": "logistic", "num_neurons": 2},
    "no attention": {"model": "moe", "num_tokens": 4, "noise_std": 0.3},
    "single": {"model": "single", "num_experts": 2, "align_steps": 4},
    "shared attention": {"model": "shared", "align_steps": 4},
    "similar signals": {"similarity": 0.4, "align_steps": 3},
    "nearly equal signals": {"similarity": 0.9999},
    "balanced": {"load_balance": 0.1},
    "wide steps": {"converge_optimizer": "normalized_gd"},
}


def problem_of(settings):
    points, start = prepare(settings)
    data = data_of(settings)

    def drawn(step, steps):
        """Samples that are the same however many steps are asked for at a time."""
        each = [
            draw(data, points.signals, generator(1000 + step + i, "sampling"), settings.new_samples)
            for i in range(steps)
        ]
        columns = {
            name: None if each[0].noise is None and name == "noise" else np.concatenate(
                [getattr(one, name) for one in each], axis=int(name == "amplitudes")
            )
            for name in vars(each[0])
        }  # fmt: skip
        return replace(each[0], **columns)

    return build_model(settings), points, stages(settings), start, drawn


def by_calls(model, points, schedule, start, drawn, size, loss):
    """Parameters after every step, each a call of `train`; the loss of the population there."""
    value = start
    yield evaluate(model, value, points, loss=loss, with_attention=False).loss, value
    step = 0
    for stage in schedule:
        for _ in range(stage.steps):
            d = drawn(step, 1)
            here = Points(
                d.tokens(points.signals), d.labels, np.full(size, 1.0 / size), d.classes,
                d.distractors, points.signals,
            )  # fmt: skip
            value = train(model, here, [replace(stage, steps=1)], value, loss=loss).parameters
            step += 1
            yield evaluate(model, value, points, loss=loss, with_attention=False).loss, value


@pytest.mark.parametrize("size", [3, 20])
@pytest.mark.parametrize("kind", KINDS)
def test_it_does_what_one_call_a_step_does(kind, size, monkeypatch):
    settings = Settings(**SMALL | KINDS[kind], new_samples=size)
    model, points, schedule, start, drawn = problem_of(settings)
    losses, values = zip(
        *by_calls(model, points, schedule, start, drawn, size, settings.loss), strict=True
    )
    for most in (5, 100):  # however many steps are laid out at a time
        monkeypatch.setattr(anew, "steps_at_a_time", lambda *_, most=most: most)
        found = train_anew(
            model, points, drawn, size, schedule, start, loss=settings.loss, epsilons=[1e-9]
        )
        for one, other in zip(
            vars(values[-1]).values(), vars(found.parameters).values(), strict=True
        ):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
        want = np.array(losses)[found.trace_steps]
        assert np.isfinite(want).all()
        np.testing.assert_allclose(found.trace_losses, want, rtol=1e-9)
    last = found.stages[-1]
    assert {*range(0, last.start, 10), *range(last.start, last.stop + 1)} <= {*found.trace_steps}
    moved = train_anew(  # control: samples of other steps
        model, points, lambda step, n: drawn(step + 1, n), size, schedule, start,
        loss=settings.loss, epsilons=[1e-9],
    )  # fmt: skip
    assert not np.allclose(moved.trace_losses[-1], want[-1], rtol=1e-6, atol=0)


def test_it_stops_where_the_loss_is_reached_and_tells_the_step():
    settings = Settings(**SMALL | {"specialize_steps": 0, "converge_steps": 40}, new_samples=8)
    model, points, schedule, start, drawn = problem_of(settings)
    whole = train_anew(model, points, drawn, 8, schedule, start, epsilons=[1e-9])
    curve = whole.trace_losses
    target = float(np.sort(curve)[10])
    first = int(np.argmax(curve <= target))
    assert 0 < first < 40
    found = train_anew(model, points, drawn, 8, schedule, start, epsilons=[target, 2.0])
    assert (found.status, found.num_steps) == ("reached", first)
    assert found.stage_hitting_steps[-1].tolist() == [first, 0]
    assert found.final_loss == curve[first]


def test_fewer_points_of_the_curve_are_the_same_points():
    settings = Settings(**SMALL | {"converge_steps": 60}, new_samples=8)
    model, points, schedule, start, drawn = problem_of(settings)
    whole, few = (
        train_anew(
            model, points, drawn, 8, schedule, start, epsilons=[0.4, 1e-9], trace_points=count
        )
        for count in (200, 10)
    )
    assert 5 < len(few.trace_steps) < len(whole.trace_steps) / 2
    place = np.isin(whole.trace_steps, few.trace_steps)
    assert (whole.trace_losses[place] == few.trace_losses).all()
    assert (few.hitting_steps == whole.hitting_steps).all()
    assert few.trace_steps[-1] == whole.trace_steps[-1] == 72


def test_what_is_not_finite_ends_the_run():
    settings = Settings(**SMALL | {"converge_rate": 1e6}, new_samples=8)
    found = run(settings)
    assert (found.status, found.metrics["num_steps"] < 21) == ("diverged", True)


def test_seeds_see_other_samples_and_the_same_seed_the_same():
    losses = {run(Settings(**SMALL, new_samples=4, seed=s)).metrics["final_loss"] for s in (0, 1)}
    assert len(losses) == 2
    again = run(Settings(**SMALL, new_samples=4)).metrics["final_loss"]
    assert again in losses  # the same settings, the same bytes


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"sample_size": 8}, "new_samples needs sample_size 0; got 8"),
        ({"routing": "sampled"}, "new_samples needs routing 'expected'; got 'sampled'"),
        ({"dynamics": "flow"}, "new_samples needs dynamics 'descent'; got 'flow'"),
        ({"measures": ["routing"]}, r"new_samples needs measures \(\); got \('routing',\)"),
        ({"converge_optimizer": "adam"}, "needs converge_optimizer 'gd' or 'normalized_gd'"),
    ],
)
def test_what_steps_cannot_remember_is_refused(other, said):
    with pytest.raises(ValidationError, match=said):
        Settings(**SMALL, new_samples=4, **other)
    Settings(**SMALL, **other)  # control: without new samples each is allowed
