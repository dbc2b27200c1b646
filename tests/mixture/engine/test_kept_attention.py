"""Frozen attention kept in single precision: its error stays below the bound that is derived.

docs/reductions.md, "Frozen attention in single precision". Each number that is kept has a relative
error of at most 2^-24, so a term of a product of k of them has one of (1 + 2^-24)^k - 1 at most.
"""

from dataclasses import replace

import numpy as np
import pytest

from motsim.experiments.mixture.run import Settings, build_model, prepare, stages
from motsim.mixture import kernels
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine import stage as stage_module
from motsim.mixture.engine.problem import Problem
from motsim.mixture.kernels import Route
from motsim.mixture.model import Model, initial_parameters
from motsim.mixture.points import population
from motsim.mixture.schedule import FROZEN, Descent, Stage
from motsim.mixture.training import train
from tests.mixture.kernel_cases import IDS, SHAPES, Case
from tests.mixture.numpy_reference import attention_weights, loss_of, loss_slope, softmax

UNIT = 2.0**-24  # largest relative error of rounding to single precision
ROUNDING = 1e-12  # of all that is computed in double, relative to its terms
STEP = Stage("one", 1, Descent(1.0), FROZEN, Descent(1.0))
SINGLE = replace(STEP, kept_attention="single")


def in_half(kept):
    """Round to half precision what is kept: the control."""
    kept[...] = kept.astype(np.float16)


def unchanged(kept):
    """Leave it."""


def one_step(model, points, start, stage, loss, spoil=unchanged):
    """Loss and gradients of what a stage trains, what it keeps, and its step."""
    problem = Problem.of(model, points, [stage], start, loss=loss)
    step, losses = problem.stage(stage), np.empty(1)
    fused = step.route in (Route.FUSED, Route.FROZEN)
    kept = step.buffers.moments if fused else step.buffers.attention_probs
    spoil(kept)
    assert step.descend(np.zeros((1, 0, 0)), -np.inf, losses) == 1
    end = problem.parameters()
    return losses[0], start.ffn - end.ffn, start.gate - end.gate, kept, step


def factors(step, model):
    """By how many rounded numbers a term of an output is multiplied, at most."""
    if step.route in (Route.FUSED, Route.FROZEN) or model.activation == "linear":
        return 1  # a moment, or a sum over queries
    images = step.parts.axes.shape[1] // step.parts.tokens.shape[1]
    return 3 * images  # a weight of each of three u; with images E times 1 / n


class Bound:
    """Largest errors of the loss, of the gradients by each neuron and by each row of the gate.

    U_l = sum_k P[l, k] |t_k| and Z_l = sum_k P[l, k] |x_k| are what u and z would be without
    cancellation: f errs by c sum_l U_l^3, its gradient by 3 c sum_l U_l^2 Z_l.
    """

    def __init__(self, model, points, start, loss, count):
        c = (1.0 + UNIT) ** count - 1.0 + ROUNDING
        curvature = 1.0 if loss == "squared" else 0.25
        self.loss = 0.0
        self.ffn = np.full(start.ffn.shape[:2], 0.0)
        self.gate = np.zeros(len(start.gate))
        for x, label, weight in zip(points.tokens, points.labels, points.weights, strict=True):
            h = start.gate @ x.sum(axis=0) if model.gated else np.zeros(model.num_experts)
            pi = softmax(h) if model.gated else np.ones(model.num_experts)
            q = pi  # routing scale 1
            f, most, slopes = self._of_experts(model, x, start)
            by_f = c * most
            used = np.arange(len(f)) == h.argmax() if model.gated else pi == 1.0
            output, by_output = (used * pi * f).sum(), (used * pi * by_f).sum()
            slope = abs(loss_slope(loss, label, output))
            self.loss += weight * (slope * by_output + 0.5 * curvature * by_output**2)
            self.loss += weight * ROUNDING * loss_of(loss, label, output)
            if model.gated:
                slope, by_slope = abs(loss_slope(loss, label, pi * f)), curvature * pi * by_f
            else:
                by_slope = curvature * by_output
            both = (by_slope + c * (slope + by_slope))[..., np.newaxis]
            self.ffn += weight * (q * pi)[:, np.newaxis] * both * slopes
            by_pi = weight * q * (slope * by_f + by_slope * (abs(f) + by_f))
            if model.gated:
                self.gate += pi * (by_pi + pi @ by_pi) * np.linalg.norm(x.sum(axis=0))

    @staticmethod
    def _of_experts(model, x, start):
        """Outputs (M,), the same and slopes (M, J) of all terms' absolute values."""
        f, most, slopes = [], [], []
        length = np.linalg.norm(x, axis=1)
        for i, w in enumerate(start.ffn):
            p = attention_weights(start.attention[i], x)  # keys before queries
            u, above, z = p.T @ x @ w.T, p.T @ abs(x @ w.T), p.T @ length
            cubic = model.activation == "cubic"
            f.append((u**3 if cubic else u).sum())
            most.append((above**3 if cubic else above).sum())
            slopes.append((3 * above**2 if cubic else np.ones_like(u)).T @ z)
        return np.array(f), np.array(most), np.array(slopes)


def shares(problem, spoil=unchanged):
    """Of the bounds, what the errors of the loss, of the experts and of the gate are at most."""
    model, points, start, loss = problem
    exact = one_step(model, points, start, STEP, loss)
    found = one_step(model, points, start, SINGLE, loss, spoil)
    assert (exact[3].dtype, found[3].dtype) == (np.float64, np.float32)
    assert exact[3].shape == found[3].shape
    assert found[4].route == exact[4].route
    bound = Bound(model, points, start, loss, factors(found[4], model))
    errors = [
        (abs(found[0] - exact[0]), bound.loss),
        (np.linalg.norm(found[1] - exact[1], axis=2), bound.ffn),
    ]
    if model.gated:
        errors.append((np.linalg.norm(found[2] - exact[2], axis=1), bound.gate))
    return [float(np.max(error / most)) for error, most in errors]


def of_case(shape, activation, kind):
    case = Case(shape)
    model = case.model(kind, activation)
    return model, case.points, case.parameters(model), "squared"


def of_population(activation, tokens, loss):
    """Every expert has its own attention; with five tokens points have images."""
    data, model = Mixture(2, 6, tokens, noise_std=0.5 * (tokens > 3)), Model("mot", 3, activation)
    points = population(data, make_signals(data, 0), num_nodes=2)
    start = initial_parameters(model, 6, init_std=0.3, attention_scale=1.0)
    rng = np.random.default_rng(0)
    attention = start.attention + 0.3 * rng.standard_normal(start.attention.shape)
    gate = 0.3 * rng.standard_normal(start.gate.shape)
    return model, points, replace(start, attention=attention, gate=gate), loss


PROBLEMS = {
    f"{name}, {activation}, {kind}": lambda shape=shape, activation=activation, kind=kind: of_case(
        shape, activation, kind
    )
    for name, shape in zip(IDS, SHAPES, strict=True)
    for activation in ("cubic", "linear")
    for kind in ("mot", "single")
    if shape[0] > 1
} | {
    f"population, {tokens} tokens, {activation}, {loss}": lambda a=activation, t=tokens, s=loss: (
        of_population(a, t, s)
    )
    for tokens in (3, 5)
    for activation in ("cubic", "linear")
    for loss in ("squared", "logistic")
}

#: Of equal tokens weights are 1 / L, and the sums over queries, 1, are exact in any precision.
EXACT = {"M2-J2-r3-L6-P3-equal, linear, mot", "M2-J2-r3-L6-P3-equal, linear, single"}


@pytest.mark.parametrize("name", PROBLEMS)
def test_errors_are_below_the_bound(name):
    found = shares(PROBLEMS[name]())
    assert max(found) <= 1.0
    if name in EXACT:
        assert max(found) < 1e-6
        return
    # Negative controls: a hundredth of the bound does not hold, nor it itself in half precision.
    assert max(found) > 0.01
    assert max(shares(PROBLEMS[name](), in_half)) > 1.0


# --- times ----------------------------------------------------------------------------------------

EPSILONS = 10.0 ** -np.arange(1.0, 10.1, 0.25)
PRESETS = {"cubic": {"converge_steps": 20_000}, "linear": {"num_experts": 32}}


def times(preset, seed, kept_attention):
    """Hitting times of every epsilon, and losses of all steps."""
    chosen = {**PRESETS[preset], "epsilon_min": 1e-10, "kept_attention": kept_attention}
    settings = Settings(preset=preset, seed=seed, **chosen)
    points, start = prepare(settings)
    model, schedule = build_model(settings), stages(settings)
    trace = train(model, points, schedule, start, epsilons=EPSILONS, trace_points=10**6)
    return trace.hitting_steps, trace.trace_losses


def gap(losses, others):
    """Largest distance of root mean squares of y - F, which are sqrt(2 loss)."""
    count = min(len(losses), len(others))
    return abs(np.sqrt(2.0 * losses[:count]) - np.sqrt(2.0 * others[:count])).max()


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_times_to_epsilon_are_the_same_to_a_step(preset, seed, monkeypatch):
    """Down to the least epsilon that is asked for by default, far above the floor."""
    exact, losses = times(preset, seed, "double")
    found, others = times(preset, seed, "single")
    assert (exact >= 0).sum() >= len(EPSILONS) - 2
    assert abs(found - exact).max() <= 1
    assert 0.0 < gap(losses, others) <= UNIT
    refresh = kernels.refresh_moments

    def rounded(value, batch, rule, moments):
        refresh(value, batch, rule, moments)
        if moments.dtype == np.float32:
            in_half(moments)

    monkeypatch.setattr(kernels, "refresh_moments", rounded)  # control: half precision
    found, others = times(preset, seed, "single")
    assert gap(losses, others) > 100 * UNIT
    if preset == "linear":  # of cubic experts times stay the same to a step even then
        assert abs(found - exact).max() > 100


# --- where it is, and where not -------------------------------------------------------------------


def kept_by(model, points, start, stage):
    """Types of what a stage keeps."""
    buffers = Problem.of(model, points, [stage], start).stage(stage).buffers
    return buffers.attention_probs.dtype, buffers.moments.dtype


@pytest.mark.parametrize("tokens", [3, 5])
def test_only_attentions_of_their_own_that_are_frozen_are_kept_in_single(tokens):
    model, points, start, _ = of_population("cubic", tokens, "squared")
    double, single = np.dtype(np.float64), np.dtype(np.float32)
    own = (double, single) if tokens == 3 else (single, double)
    assert kept_by(model, points, start, SINGLE) == own
    assert kept_by(model, points, start, STEP) == (double, double)
    trains = replace(SINGLE, attention=Descent(0.1))
    assert kept_by(model, points, start, trains) == (double, double)
    equal = replace(start, attention=np.repeat(start.attention[:1], 3, axis=0))
    assert kept_by(model, points, equal, SINGLE) == (double, double)
    one = replace(start, attention=start.attention[:1])
    assert kept_by(Model("shared", 3), points, one, SINGLE) == (double, double)
    none = replace(start, attention=start.attention[:0])
    assert kept_by(Model("moe", 3), points, none, SINGLE) == (double, double)


def test_losses_without_steps_are_those_of_the_exact_attention():
    """Single precision is of steps alone: what is evaluated is the model itself."""
    model, points, start, _ = of_population("cubic", 5, "squared")
    for stage in (STEP, SINGLE):
        problem = Problem.of(model, points, [stage], start)
        before = problem.noise_free_loss()
        step = problem.stage(stage)
        assert problem.noise_free_loss() == before
        assert (step.gradients() == before) == (stage is STEP)


def test_half_the_memory_is_counted(monkeypatch):
    model, points, start, _ = of_population("cubic", 3, "squared")
    double, single = (
        one_step(model, points, start, stage, "squared")[3].nbytes for stage in (STEP, SINGLE)
    )
    assert double == 2 * single
    monkeypatch.setattr(stage_module, "MAX_KEPT", single)
    for stage, blocks in ((SINGLE, True), (STEP, False)):
        kept = one_step(model, points, start, stage, "squared")[3]
        assert (kept.shape[:2] != (1, 1)) == blocks


def test_names_of_precisions():
    with pytest.raises(ValueError, match="kept_attention must be one of double, single; got 'sing"):
        Stage("one", 1, kept_attention="singel")
    assert "kept_attention" not in Settings().model_dump()  # so keys of stored runs stay
    settings = Settings(kept_attention="single")
    assert [s.kept_attention for s in stages(settings)] == ["double", "double", "single"]
    assert Settings(**settings.model_dump()) == settings
    with pytest.raises(ValueError, match="new_samples needs kept_attention 'double'; got 'single'"):
        Settings(new_samples=8, kept_attention="single")
