"""Small runs that go through every line of every kernel: name -> the numbers that come out.

The same with compilation and without: what `test_kernel_lines.py` compares.
"""

from dataclasses import replace

import numpy as np

from motsim.minibatch import FROZEN as NO_UPDATE
from motsim.minibatch import Network, Phase, Update, fit
from motsim.minibatch.kernels import softmax
from motsim.minibatch.network import start_parameters
from motsim.mixture.anew import train_anew
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.draws import draw
from motsim.mixture.evaluation import evaluate, loss_and_gradients
from motsim.mixture.kernels.routing import total_loss
from motsim.mixture.model import Model, Routing, initial_parameters
from motsim.mixture.points import population
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from motsim.realdata.tasks import Samples
from motsim.rehearsal import (
    Rehearsal,
    equicorrelated_tasks,
    optimal_schedule,
    simulate_errors,
)
from motsim.vectors.arithmetic import exp
from tests.mixture.kernel_cases import Case

SMALL, GATE = Descent(0.02), Descent(0.5)
NORMALIZED = Descent(0.02, "normalized_gd")
ALL = Stage("all", 2, SMALL, Descent(0.1), GATE)
EXPERTS = Stage("experts", 2, SMALL, FROZEN, GATE, Routing(scale=0.01))
SINGLE = replace(EXPERTS, kept_attention="single")
ALIGN = Stage("align", 2, FROZEN, SMALL, GATE)
HALF = Stage("half", 2, FROZEN, FROZEN, GATE)
PLAIN = Stage("plain", 2, SMALL, FROZEN, GATE)
EVEN = Stage("even", 2, NORMALIZED, FROZEN, GATE)
ADAM = Stage("adam", 2, Descent(0.01, "adam"), FROZEN, FROZEN)
SAMPLED = Routing("sampled", load_balance=0.2)


def flat(parameters):
    return [np.ravel(part) for part in (parameters.ffn, parameters.attention, parameters.gate)]


def slopes(shape, kind="mot", activation="cubic", top_k=1, loss="squared", routing=None):
    """Loss and gradients where a case starts, and the attention there."""
    case = Case(shape)
    routing, model = routing or Routing(), case.model(kind, activation, top_k)
    sampled, value = routing.mode == "sampled", case.parameters(model)
    noise = case.rng.gumbel(size=(case.size, case.experts)) if sampled else None
    mean, found = loss_and_gradients(
        model, value, case.points, loss=loss, routing=routing, routing_noise=noise
    )
    said = evaluate(model, value, case.points)
    return np.concatenate([[mean, said.loss], *flat(found), said.attention.ravel()])


def training(stages, kind="mot", experts=3, activation="cubic", tokens=3, gate=0.3, **mixture):
    """Losses and parameters after some stages on a population."""
    model = Model(kind, experts, activation, 2 if kind == "shared" else 1)
    data = Mixture(2, 6, tokens, noise_std=0.5 if tokens > 3 else 0.0, **mixture)
    signals = make_signals(data, 0)
    points = population(data, signals, num_nodes=4 if tokens == 3 else 1)
    start = initial_parameters(
        model, 6, init_std=0.2, attention_scale=1.0,
        orthogonal_to=signals.class_basis() if gate == 0 else None,
    )  # fmt: skip
    if gate > 0:  # else it is odd
        rng = np.random.default_rng(0)
        start = replace(start, gate=gate * rng.standard_normal(start.gate.shape))
    trace = train(model, points, stages, start)
    assert trace.status == "max_steps"
    return np.concatenate([trace.trace_losses, *flat(trace.parameters)])


def anew(stages, tokens=3, target=1e-9):
    """Losses and parameters of steps on new samples each."""
    data, model = Mixture(2, 6, tokens, noise_std=0.5), Model("mot", 3)
    signals = make_signals(data, 0)
    points = population(data, signals, num_nodes=1)
    start = initial_parameters(model, 6, init_std=0.2, attention_scale=1.0)
    found = train_anew(
        model, points, lambda step, n: draw(data, signals, np.random.default_rng(step), 9 * n), 9,
        stages, start, epsilons=[target],
    )  # fmt: skip
    return np.concatenate([found.trace_losses, *flat(found.parameters)])


def batches(kind, activation, outputs, routing, loss):
    """Validation losses and parameters of training on mini-batches."""
    rng, dim, count = np.random.default_rng(0), 11, 10
    network = Network(Model(kind, 3, activation, 3), outputs, "probability")
    start = start_parameters(network, dim, init_std=0.2, attention_scale=0.3, seed=0)
    tokens = 0.5 * rng.normal(size=(count, 5, dim))
    targets = rng.integers(outputs, size=count) if outputs > 1 else rng.choice([-1, 1], count)
    tasks = np.arange(count) % 2
    samples = Samples(tokens, np.arange(count), tasks, targets, rng.normal(size=(2, dim)), outputs)
    plain, adam = Update(0.05), Update(0.01, "adam")
    phases = [
        Phase("first", 2, adam, plain, adam),
        Phase("second", 2, Update(0.02, "normalized_gd"), NO_UPDATE, plain),
    ]
    found = fit(
        network, samples, samples, phases, start, loss=loss, routing=routing, batch_size=4,
        looks=(), seed=3,
    )  # fmt: skip
    return np.concatenate([found.validation_loss, *flat(found.snapshots[-1])])


def rehearsal(dimension, samples, stored, **options):
    """Errors of simulated rehearsal of three tasks."""
    tasks = equicorrelated_tasks(3, dimension, 0.3)
    problem = Rehearsal(tasks, samples, stored, 0.5, "concurrent", **options)
    return np.ravel(simulate_errors(problem, repetitions=2, seed=1).errors)


def planned():
    """What the best schedule is worth."""
    problem = Rehearsal(equicorrelated_tasks(3, 20, 0.3), 3, 2, 0.5, "concurrent")
    return [optimal_schedule(problem).value]


def edges():
    """Losses of outputs that are no numbers, and exponentials of what is too large or small."""
    outputs, ones = np.array([np.nan, 1.0]), np.ones(2)
    losses = [total_loss(outputs[k:], ones[k:], ones[k:], logistic=True) for k in range(2)]
    scores = np.array([[0.0, -800.0]])
    softmax(scores)
    return [*losses, *scores[0], exp(800.0)]


RUNS = {
    "signals": lambda: slopes((2, 1, 3, 3, 9, "axes")),
    "signals, two neurons, linear": lambda: slopes((2, 2, 3, 3, 9, "axes"), activation="linear"),
    "signals, shared, balanced": lambda: slopes(
        (3, 2, 4, 3, 9, "axes"), "shared", routing=Routing(scale=0.5, load_balance=0.2)
    ),
    "signals, sampled": lambda: slopes((3, 1, 3, 3, 9, "axes"), top_k=2, routing=SAMPLED),
    "others": lambda: slopes((3, 2, 5, 5, 9, "axes"), loss="logistic"),
    "others, sampled": lambda: slopes(
        (2, 1, 5, 9, 9, "axes"), loss="logistic", routing=Routing("sampled")
    ),
    "gathered": lambda: slopes((3, 2, 6, 4, 150, "axes"), "moe", routing=SAMPLED),
    "gathered, linear": lambda: slopes(
        (3, 2, 4, 5, 150, "distinct"), "moe", "linear", loss="logistic", routing=Routing("sampled")
    ),
    "distinct, single": lambda: slopes((2, 2, 4, 5, 3, "distinct"), "single", loss="logistic"),
    "distinct, none, linear": lambda: slopes((2, 2, 5, 6, 3, "distinct"), "moe", "linear"),
    "fused": lambda: training([EXPERTS, EVEN, ADAM, ALL], experts=9),
    "fused, linear": lambda: training([EVEN, EXPERTS], activation="linear"),
    "odd": lambda: training([ALL, EXPERTS], gate=0),
    "hard gate": lambda: training([ALL, EXPERTS, PLAIN, EVEN], experts=9, gate=1e3),
    "no attention": lambda: training([PLAIN], "moe"),
    "frozen": lambda: training([Stage("s", 2, SMALL, FROZEN, GATE, SAMPLED), HALF], experts=2),
    "images": lambda: training([ALL, EXPERTS, EVEN], tokens=5),
    "images, shared": lambda: training([ALL, EXPERTS], "shared", tokens=6, similarity=0.4),
    "images, linear": lambda: training([EXPERTS, ALL], "mot", 3, "linear", 5),
    "images, none": lambda: training([EXPERTS], "moe", tokens=5),
    "images, hard gate": lambda: training([ALL, ALIGN], experts=9, tokens=5, gate=1e3),
    "images, shared, hard gate": lambda: training([ALL], "shared", 9, tokens=5, gate=1e3),
    "images, sampled": lambda: training([Stage("s", 2, SMALL, SMALL, GATE, SAMPLED)], tokens=5),
    "fused, single precision": lambda: training([ALL, SINGLE], experts=9),
    "images, single precision": lambda: training([ALL, SINGLE], tokens=5),
    "others, single precision, linear": lambda: training([ALL, SINGLE], "mot", 3, "linear", 4),
    "anew": lambda: anew([PLAIN, ALL]),
    "anew, other tokens": lambda: anew([PLAIN, ALL], tokens=4),
    "anew, reached": lambda: anew([PLAIN], target=10.0),
    "batches": lambda: batches("mot", "cubic", 1, Routing("sampled", load_balance=0.2), "logistic"),
    "batches, all see all": lambda: batches(
        "shared", "linear", 3, Routing("expected", scale=0.5), "cross_entropy"
    ),
    "batches, pooled": lambda: batches("moe", "linear", 1, Routing("sampled"), "squared"),
    "batches, single": lambda: batches("single", "cubic", 3, Routing("sampled"), "cross_entropy"),
    "rehearsal": lambda: rehearsal(20, 3, 2),
    "rehearsal, triangle": lambda: rehearsal(120, 25, 2),
    "rehearsal, no room": lambda: rehearsal(6, 2, 2),
    "rehearsal, replayed": lambda: rehearsal(20, 3, 2, memory="replayed"),
    "planning": lambda: planned(),
    "edges": lambda: edges(),
}
