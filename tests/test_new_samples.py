"""Steps on samples that are drawn anew: against a plain loop, and what the settings refuse."""

import numpy as np
import pytest
from pydantic import ValidationError

from motsim.experiments.mixture.anew import train_anew
from motsim.experiments.mixture.run import Settings, build_model, prepare, run, stages
from motsim.experiments.mixture.settings import mixture as data_of
from motsim.mixture.data import make_signals
from motsim.mixture.evaluation import evaluate
from motsim.mixture.points import sample
from motsim.mixture.training import train

SMALL = {
    "num_classes": 2, "dim": 6, "num_experts": 3, "specialize_steps": 12, "align_steps": 0,
    "converge_steps": 9, "converge_rate": 0.1, "epsilon_min": 1e-6,
}  # fmt: skip


def test_it_is_the_engine_where_every_step_draws_the_population():
    settings = Settings(**SMALL)
    points, start = prepare(settings)
    model, schedule = build_model(settings), stages(settings)
    whole = train(model, points, schedule, start, epsilons=[0.4, 1e-6])
    anew = train_anew(
        model, points, lambda step: points, schedule, start, loss="squared", epsilons=[0.4, 1e-6]
    )
    for one, other in zip(
        vars(whole.parameters).values(), vars(anew.parameters).values(), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    assert anew.num_steps == whole.num_steps
    assert (anew.status, anew.final_loss) == (whole.status, pytest.approx(whole.final_loss))
    assert (anew.stage_hitting_steps[-1] == whole.stage_hitting_steps[-1]).all()


def test_each_step_sees_its_own_samples_and_each_seed_others():
    settings = Settings(**SMALL, new_samples=4)
    points, start = prepare(settings)
    model, schedule = build_model(settings), stages(settings)
    data, signals = data_of(settings), make_signals(data_of(settings), 0)
    seen = []

    def draw(step):
        seen.append(step)
        return sample(data, signals, 4, seed=step)

    found = train_anew(model, points, draw, schedule, start, loss="squared", epsilons=[1e-9])
    assert seen == list(range(21))
    value = start
    for step, stage in enumerate([schedule[0]] * 12 + [schedule[-1]] * 9):
        one = stage.__class__(**{**vars(stage), "steps": 1})
        value = train(model, draw(step), [one], value).parameters
    assert found.final_loss == evaluate(model, value, points, with_attention=False).loss
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
