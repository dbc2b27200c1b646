"""Problems on which mixtures are trained, by the engine and by the plain reference.

A schedule of the reference is a list of (steps, FFN rate, normalized FFN?, attention rate, gate
rate, routing scale).
"""

import numpy as np

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.kernels import Route
from motsim.mixture.model import Model, ModelParameters, Routing, initial_parameters
from motsim.mixture.points import population
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture import numpy_reference as reference

SEEDS = [0, 1, 2]
EVERY = 10**6  # trace points that keep every step
SHORT = [
    Stage("specialize", 30, Descent(0.02, "normalized_gd"), FROZEN, Descent(1.0)),
    Stage("align", 20, FROZEN, Descent(0.3), Descent(1.0)),
    Stage("converge", 60, Descent(0.05), FROZEN, Descent(1.0), Routing(scale=0.05)),
]
SCHEDULE = [
    (8, 0.02, True, 0.0, 0.8, 1.0),
    (5, 0.0, False, 0.3, 0.8, 1.0),
    (8, 0.1, False, 0.0, 0.8, 0.2),
]
JOINT = [(12, 0.2, False, 0.1, 0.5, 0.5)]

NOISE = {"num_tokens": 5, "noise_std": 0.3}
ALL = Stage("all", 5, Descent(0.1), Descent(0.1), Descent(1.0))
FFN = Stage("ffn", 5, Descent(0.1), FROZEN, Descent(1.0))
FFN_ALONE = Stage("ffn", 5, Descent(0.1))
SAMPLED = Stage("ffn", 5, Descent(0.1), FROZEN, Descent(1.0), Routing("sampled"))
BALANCED = Stage("ffn", 5, Descent(0.1), FROZEN, Descent(1.0), Routing(load_balance=0.1))
#: Models, stages and mixtures, and the route that a step of them takes.
ROUTES = [
    (Model("mot", 4), FFN, {}, Route.FUSED),
    (Model("moe", 4), ALL, {}, Route.FUSED),  # no attention that could train
    (Model("mot", 4, num_neurons=2), FFN, {}, Route.FROZEN),
    (Model("mot", 4), FFN_ALONE, {}, Route.FROZEN),
    (Model("mot", 4), SAMPLED, {}, Route.FROZEN),
    (Model("mot", 4), BALANCED, {}, Route.FROZEN),
    (Model("single", 2), FFN, {}, Route.FROZEN),
    (Model("mot", 4), ALL, {}, Route.SIGNALS),
    (Model("mot", 4, num_neurons=2), ALL, {}, Route.SIGNALS),
    (Model("shared", 4), ALL, {}, Route.GENERAL),
    (Model("mot", 4), FFN, NOISE, Route.GENERAL),
    (Model("mot", 4), ALL, NOISE, Route.GENERAL),
    (Model("moe", 4), SAMPLED, NOISE, Route.GATHERED),
]


def problem(
    model=None, seed=0, *, classes=2, dim=6, init_std=0.3, attention_scale=1.0, odd=False,
    replicates=1, **mixture,
):  # fmt: skip
    """A model, a population and a start; `odd`: experts orthogonal to the class signals."""
    model, data = model or Model("mot", 4, "linear"), Mixture(classes, dim, **mixture)
    signals = make_signals(data, seed)
    points = population(data, signals, num_nodes=2, noise_replicates=replicates, seed=seed)
    start = initial_parameters(
        model, dim, init_std=init_std, attention_scale=attention_scale, seed=seed,
        orthogonal_to=signals.class_basis() if odd else None,
    )  # fmt: skip
    return model, points, start


def as_stages(schedule, **routing):
    """Stages of the engine for a schedule of the reference."""
    return [
        Stage(
            f"stage {i}", steps, Descent(ffn, "normalized_gd" if normalized else "gd"),
            Descent(attention), Descent(gate), Routing(**{"scale": scale, **routing}),
        )
        for i, (steps, ffn, normalized, attention, gate, scale) in enumerate(schedule)
    ]  # fmt: skip


def full_curve(model, points, schedule, start, **options):
    """Losses of every step, and the record."""
    trace = train(model, points, schedule, start, trace_points=EVERY, **options)
    np.testing.assert_array_equal(trace.trace_steps, np.arange(trace.num_steps + 1))
    return trace.trace_losses, trace


def plain_training(model, points, start, schedule, loss="squared", **options):
    """Losses of every step by the reference, and where it ends."""
    data = points.tokens, points.labels, points.weights
    losses, (gate, ffn, attention) = reference.descend(
        start.gate, start.ffn, start.attention, data, model.activation, loss, schedule, **options
    )
    return losses, ModelParameters(ffn, attention, gate)


def brute_hits(curve, epsilons):
    """First index with curve <= epsilon, by a loop; -1 if none."""
    return [next((t for t, x in enumerate(curve) if x <= eps), -1) for eps in epsilons]


def assert_same_parameters(ours, theirs, **tolerance):
    for part in ("ffn", "attention", "gate"):
        np.testing.assert_allclose(
            getattr(ours, part), getattr(theirs, part), err_msg=part, **tolerance
        )
