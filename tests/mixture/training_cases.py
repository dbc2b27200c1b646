"""A small problem to train on, its whole loss curve, and its hitting times by a loop."""

import numpy as np

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.model import Model, Routing, initial_parameters
from motsim.mixture.points import population
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train

SEEDS = [0, 1, 2]
ALL = 10**6  # trace points that keep every step
SHORT = [
    Stage("specialize", 30, Descent(0.02, "normalized_gd"), FROZEN, Descent(1.0)),
    Stage("align", 20, FROZEN, Descent(0.3), Descent(1.0)),
    Stage("converge", 60, Descent(0.05), FROZEN, Descent(1.0), Routing(scale=0.05)),
]


def problem(model=None, seed=0, init_std=0.3, **mixture):
    model = model or Model("mot", 4, "linear")
    data = Mixture(2, 6, **mixture)
    points = population(data, make_signals(data, seed), num_nodes=2, seed=seed)
    start = initial_parameters(model, 6, init_std=init_std, attention_scale=1.0, seed=seed)
    return model, points, start


def full_curve(model, points, schedule, start, **options):
    trace = train(model, points, schedule, start, trace_points=ALL, **options)
    np.testing.assert_array_equal(trace.trace_steps, np.arange(trace.num_steps + 1))
    return trace.trace_losses, trace


def brute_hits(curve, epsilons):
    """First index with curve <= epsilon, by a loop; -1 if none."""
    return [next((t for t, x in enumerate(curve) if x <= eps), -1) for eps in epsilons]
