"""Problems and schedules that are trained in fewer coordinates, or in half the points."""

import numpy as np

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.model import Routing, initial_parameters
from motsim.mixture.points import population
from motsim.mixture.schedule import Descent, Stage
from motsim.mixture.training import train

SEEDS = [0, 1, 2]
NOISE = {"num_tokens": 4, "noise_std": 0.4}
#: steps, ffn rate, normalized, attention rate, gate rate, routing scale
SCHEDULE = [
    (8, 0.02, True, 0.0, 0.8, 1.0),
    (5, 0.0, False, 0.3, 0.8, 1.0),
    (8, 0.1, False, 0, 0.8, 0.2),
]
JOINT = [(12, 0.2, False, 0.1, 0.5, 0.5)]


def as_stages(schedule):
    return [
        Stage(
            f"stage {i}",
            steps,
            Descent(ffn, "normalized_gd" if normalized else "gd"),
            Descent(attention),
            Descent(gate),
            Routing(scale=scale),
        )
        for i, (steps, ffn, normalized, attention, gate, scale) in enumerate(schedule)
    ]


def problem(model, seed, *, odd, num_nodes=2, replicates=1, **mixture):
    """A population and a start; `odd`: experts orthogonal to the class signals."""
    data = Mixture(2, 7, **mixture)
    signals = make_signals(data, seed)
    points = population(data, signals, num_nodes=num_nodes, noise_replicates=replicates, seed=seed)
    start = initial_parameters(
        model, 7, init_std=0.6, attention_scale=0.7, seed=seed,
        orthogonal_to=signals.class_signals if odd else None,
    )  # fmt: skip
    return points, start


def full_curve(*arguments, **options):
    """Losses of every step, and the record."""
    trace = train(*arguments, trace_points=10_000, **options)
    assert len(trace.trace_losses) == trace.num_steps + 1
    return trace.trace_losses, trace


def assert_same_parameters(ours, theirs, **tolerance):
    for part in ("ffn", "attention", "gate"):
        np.testing.assert_allclose(
            getattr(ours, part), getattr(theirs, part), err_msg=part, **tolerance
        )
