"""Momentum and Adam: against plain loops, by hand, and with their reductions."""

from dataclasses import replace

import numpy as np
import pytest

from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.mixture import kernels
from motsim.mixture.engine.reduction import problem_of, reduce_problem, whole_problem
from motsim.mixture.model import Model, ModelParameters, Routing
from motsim.mixture.optimizers import memories
from motsim.mixture.schedule import Descent, Stage
from motsim.mixture.training import train
from tests.mixture import numpy_reference as reference
from tests.mixture.problems import SEEDS, assert_same_parameters, full_curve, problem

MODELS = [Model("mot", 3, "cubic"), Model("single", 2, "linear"), Model("shared", 3, "linear", 2)]
KINDS = ["mot", "single", "shared"]
RATES = {"ffn": 0.05, "attention": 0.1, "gate": 0.5}
BETAS = (0.9, 0.999)


def joint(optimizer, steps=12, momentum=0.8, **rates):
    rates = RATES | rates
    parts = {name: Descent(rate, optimizer, momentum) for name, rate in rates.items()}
    return Stage("joint", steps, **parts, routing=Routing(scale=0.5))


def looped(model, points, start, loss, rule, steps):
    """Losses and parameters of a rule (name, value, gradient, memory, step) -> value, in a loop."""
    value = {name: getattr(start, name) for name in RATES}
    memory, losses = {name: {} for name in RATES}, []
    data = points.tokens, points.labels, points.weights
    for step in range(1, steps + 1):
        parts = value["gate"], value["ffn"], value["attention"]
        losses.append(reference.expected_loss(*parts, data, model.activation, loss))
        found = reference.gradients(*parts, data, model.activation, loss, routing_scale=0.5)
        slopes = dict(zip(("gate", "ffn", "attention"), found, strict=True))
        value = {
            name: rule(RATES[name], value[name], slopes[name], memory[name], step) for name in RATES
        }
    parts = value["gate"], value["ffn"], value["attention"]
    losses.append(reference.expected_loss(*parts, data, model.activation, loss))
    return np.array(losses), ModelParameters(value["ffn"], value["attention"], value["gate"])


def heavy_ball(rate, value, slope, memory, _, beta=0.8):
    """With a velocity, v <- beta v + g and w <- w - rate v: another way to write it."""
    memory["v"] = beta * memory.get("v", 0.0) + slope
    return value - rate * memory["v"]


def adam(rate, value, slope, memory, step):
    """Algorithm 1 of Kingma & Ba."""
    a, b = BETAS
    memory["m"] = a * memory.get("m", 0.0) + (1 - a) * slope
    memory["v"] = b * memory.get("v", 0.0) + (1 - b) * slope**2
    mean, square = memory["m"] / (1 - a**step), memory["v"] / (1 - b**step)
    return value - rate * mean / (np.sqrt(square) + 1e-8)


RULES = {"momentum": heavy_ball, "adam": adam}


@pytest.mark.parametrize("similarity", [0.0, 0.3])
@pytest.mark.parametrize("optimizer", RULES)
@pytest.mark.parametrize("model", MODELS, ids=KINDS)
def test_training_is_that_of_a_plain_loop_in_all_coordinates(model, optimizer, similarity):
    """Momentum goes in reduced coordinates, orthonormal or not; Adam in those of the data."""
    for seed in SEEDS:
        loss = ("squared", "logistic")[seed % 2]
        _, points, start = problem(model, seed, similarity=similarity)
        coordinates = problem_of([joint(optimizer)], model, points, start).directions.shape
        assert coordinates == ((6, 6) if optimizer == "adam" else (6, 4))
        want, end = looped(model, points, start, loss, RULES[optimizer], 12)
        for mirror in (True, False):
            losses, trace = full_curve(
                model, points, [joint(optimizer)], start, loss=loss, use_mirror=mirror
            )
            np.testing.assert_allclose(losses, want, rtol=1e-9)
            assert_same_parameters(trace.parameters, end, rtol=1e-7, atol=1e-9)
        plain, _ = full_curve(model, points, [joint("gd")], start, loss=loss)
        assert np.abs(plain[5:] / want[5:] - 1).max() > 1e-3  # it is another optimizer


@pytest.mark.parametrize("model", MODELS, ids=KINDS)
def test_momentum_zero_is_plain_descent_bit_for_bit(model):
    _, points, start = problem(model, 1)
    cut = {"snapshot_steps": [5]}
    plain, a = full_curve(model, points, [joint("gd")], start, **cut)
    zero, b = full_curve(model, points, [joint("momentum", momentum=0.0)], start, **cut)
    np.testing.assert_array_equal(zero, plain)
    for part in RATES:
        np.testing.assert_array_equal(getattr(a.parameters, part), getattr(b.parameters, part))
    some, _ = full_curve(model, points, [joint("momentum", momentum=1e-6)], start, **cut)
    assert (some != plain).any()


@pytest.mark.parametrize("optimizer", RULES)
def test_where_a_chunk_ends_changes_nothing_and_a_new_stage_forgets(optimizer):
    model, points, start = problem()
    whole, _ = full_curve(model, points, [joint(optimizer)], start)
    cut, _ = full_curve(model, points, [joint(optimizer)], start, snapshot_steps=[3, 4, 9])
    np.testing.assert_array_equal(cut, whole)
    halves = [joint(optimizer, 6), joint(optimizer, 6)]
    again, _ = full_curve(model, points, halves, start)
    assert np.abs(again / whole - 1).max() > 1e-4


def test_momentum_keeps_an_odd_start_odd_and_adam_does_not():
    """Why half the points will do for momentum, and not for Adam."""
    data = Settings(preset="linear", num_classes=2, dim=8, num_experts=3, num_nodes=2, model="mot")
    points, start = prepare(data)
    model, classes = build_model(data), points.signals.class_signals
    assert problem_of([joint("momentum")], model, points, start).odd
    assert not problem_of([joint("adam")], model, points, start).odd
    across = {}
    for optimizer in RULES:
        end = train(model, points, [joint(optimizer)], start).parameters
        across[optimizer] = np.abs(end.ffn @ classes.T).max() / np.abs(end.ffn).max()
    assert across["momentum"] < 1e-12
    assert across["adam"] > 1e-2


def turned(points, start, seed=0):
    """The same problem in coordinates turned by a random rotation, and how to turn back."""
    d = points.tokens.shape[-1]
    q = np.linalg.qr(np.random.default_rng(seed).standard_normal((d, d)))[0]
    signals = replace(
        points.signals,
        class_signals=points.signals.class_signals @ q,
        classification_signals=points.signals.classification_signals @ q,
    )
    there = ModelParameters(start.ffn @ q, q.T @ start.attention @ q, start.gate @ q)
    return replace(points, signals=signals, tokens=points.tokens @ q), there


def test_momentum_turns_with_the_coordinates_and_adam_does_not():
    """Control of the refusal: what Adam does depends on the basis, so no reduction is exact."""
    model, points, start = problem(Model("mot", 3, "cubic"))
    other, there = turned(points, start)
    for optimizer in RULES:
        here, _ = full_curve(model, points, [joint(optimizer)], start, use_mirror=False)
        moved, _ = full_curve(model, other, [joint(optimizer)], there, use_mirror=False)
        apart = np.abs(moved / here - 1).max()
        assert (apart < 1e-11) if optimizer == "momentum" else (apart > 1e-3), optimizer


def test_adam_refuses_reduced_coordinates():
    model, points, start = problem()
    for reduced in (True, False):
        found = reduce_problem(model, points, start) if reduced else whole_problem(points)
        assert found.whole != reduced
        value = found.project(start)
        gradient = kernels.Parameters(*(np.zeros_like(a) for a in value))
        assert len(memories(joint("momentum"), found, value, gradient)) == 3
        if reduced:
            with pytest.raises(ValueError, match="stage 'joint' depends on the coordinates: it ne"):
                memories(joint("adam"), found, value, gradient)
        else:
            assert len(memories(joint("adam"), found, value, gradient)) == 3
    assert memories(joint("gd"), found, value, gradient) == []
    assert memories(joint("adam", ffn=0.0, attention=0.0, gate=0.0), found, value, gradient) == []


def test_three_steps_by_hand():
    """One number w, of which the slope is w - 1: w = 0, then steps of rate 0.1.

    Momentum 0.5: 0.1; 0.1 + 0.09 + 0.05 = 0.24; 0.24 + 0.076 + 0.07 = 0.386. Adam: 0.1 whatever
    the slope; then m = -0.19/0.19 = ..., see the fractions below.
    """
    stage = Stage("one", 3, Descent(0.1, "momentum", 0.5))
    value = kernels.Parameters(np.zeros((1, 1)), np.zeros((0, 1, 1)), np.zeros((0, 1)))
    slope = kernels.Parameters(*(np.zeros_like(a) for a in value))
    _, points, _ = problem()
    whole = whole_problem(points)

    def path(optimizer):
        value.ffn[:] = 0.0
        (part,) = memories(
            replace(stage, ffn=replace(stage.ffn, optimizer=optimizer)), whole, value, slope
        )
        places = []
        for _ in range(3):
            part.note()
            slope.ffn[:] = value.ffn - 1.0
            value.ffn[:] -= 0.1 * slope.ffn
            part.correct()
            places.append(value.ffn[0, 0])
        return places

    np.testing.assert_allclose(path("momentum"), [0.1, 0.24, 0.386], rtol=1e-14)
    # Slopes -1, -.9. Means: -1, -(.09 + .09) / .19 = -18/19; squares: 1, (.000999 + .00081) /
    # .001999 = 1809/1999. Second step: .1 (18/19) / sqrt(1809/1999). Third with slope s = w - 1:
    # mean (-.081 - .081 + .1 s) / .271, square (.000998001 + .00080919 + .001 s^2) / .002997001.
    second = 0.1 + 0.1 * (18 / 19) / np.sqrt(1809 / 1999)
    s = second - 1.0
    mean = (-0.162 + 0.1 * s) / 0.271
    square = (0.000998001 + 0.00080919 + 0.001 * s * s) / 0.002997001
    third = second - 0.1 * mean / np.sqrt(square)
    np.testing.assert_allclose(path("adam"), [0.1, second, third], rtol=1e-7)  # but for 1e-8


def test_momentum_on_a_quadratic_has_the_root_of_its_recursion():
    """A fit by linear regression: the slowest mode's factor is the larger root."""
    from motsim.claims.optimizers import slowest_factor

    rate, momentum, curvature = 0.02, 0.7, 1.3
    w, before = 1.0, 1.0
    path = []
    for _ in range(400):
        w, before = w + momentum * (w - before) - rate * curvature * w, w
        path.append(w)
    found = (path[-1] / path[-101]) ** 0.01
    assert found == pytest.approx(slowest_factor(rate * curvature, momentum), rel=1e-9)
    assert found != pytest.approx(1 - rate * curvature / (1 - momentum), rel=1e-3)


# --- settings -------------------------------------------------------------------------------------


def test_the_optimizer_is_that_of_the_last_stage_alone():
    found = stages(Settings(converge_optimizer="momentum", momentum=0.7))
    assert [s.ffn.optimizer for s in found] == ["normalized_gd", "gd", "momentum"]
    assert found[-1].ffn.momentum == 0.7
    assert {s.gate.optimizer for s in found} == {"gd"}
    assert found[1].attention == Descent(0.1)
    (joint_stage,) = stages(Settings(preset="single", converge_optimizer="adam", align_rate=0.2))
    assert (joint_stage.ffn.optimizer, joint_stage.attention) == ("adam", Descent(0.2, "adam"))
    (old,) = stages(Settings(preset="single", converge_optimizer="normalized_gd"))
    assert old.attention.optimizer == "gd"  # as it always was


def test_keys_of_runs_without_momentum_are_what_they_were():
    assert "momentum" not in Settings().model_dump()
    assert Settings(converge_optimizer="momentum", momentum=0.5).model_dump()["momentum"] == 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"converge_optimizer": "momentum", "dynamics": "flow"}, "use 'gd', or dynamics 'descent'"),
        ({"converge_optimizer": "adam", "dynamics": "flow"}, "use 'gd', or dynamics 'descent'"),
        ({"momentum": 0.5}, "momentum 0.5 needs converge_optimizer 'momentum'; got 'gd'"),
        ({"converge_optimizer": "momentum", "momentum": 1.0}, "momentum must be >= 0 and < 1"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(changes, message):
    with pytest.raises(ValueError, match=message):
        Settings(**changes)


def test_sampled_routing_draws_the_same_noise_with_memory():
    """Of a stage with momentum 0 and one without: step t has the noise of step t."""
    model, points, start = problem(Model("mot", 3, "cubic"))
    drawn = replace(joint("gd"), routing=Routing("sampled", scale=0.5))
    zero = replace(joint("momentum", momentum=0.0), routing=drawn.routing)
    a, b = (full_curve(model, points, [s], start, seed=3)[0] for s in (drawn, zero))
    np.testing.assert_array_equal(a, b)
