"""The step that takes gate and experts together against the sweeps it replaces, bit for bit."""

from itertools import product

import numba
import numpy as np
import pytest

from motsim.mixture import kernels
from motsim.mixture.engine.layout import (
    aligned_zeros,
    kernel_batch,
    kernel_buffers,
    kernel_parameters,
    kernel_rule,
)
from motsim.mixture.engine.parts import in_parts
from motsim.mixture.kernels import descent, fused, routing
from motsim.mixture.kernels.arguments import part_of
from motsim.mixture.kernels.frozen import pass_frozen
from motsim.mixture.kernels.phases import BOTH, PassMode
from motsim.mixture.kernels.routes import FUSED, Route
from motsim.mixture.model import Model, ModelParameters, Routing
from tests.mixture.kernel_cases import random_tokens

COORDINATES, POINTS = 6, 150
#: How unlike the experts' logits are: one for all points, some for each, one each.
GATES = {"equal": 0.0, "soft": 1.0, "sharp": 60.0}


@numba.njit
def step_in_sweeps(parameters, parts, place, rule, buffers, gradient):
    """What `descent.differentiate_part` does where it cannot fuse."""
    batch = part_of(parts, place)
    descent.route(parameters, batch, rule, buffers, np.zeros((0, 0)))
    dense = descent.serves_all(batch, rule, buffers)
    pass_frozen(parameters, batch, rule, buffers, gradient, PassMode(BOTH, dense))
    loss = descent.noise_free_loss(batch, rule, buffers)
    routing.gate_gradient(buffers.gates, buffers.by_gate, batch, buffers, gradient.gate)
    return loss


@numba.njit
def step_fused(parameters, parts, place, rule, buffers, gradient):
    """The same fused, NaN where it is not."""
    if rule.route != FUSED:
        return np.nan
    return fused.pass_fused(parameters, parts, place, rule, buffers, gradient)


class Case:
    """A model with different experts on points of three signal tokens."""

    def __init__(self, activation="cubic", attention="own", experts=11, gate="soft", scale=1.0):
        rng = np.random.default_rng([7, experts])
        tokens = random_tokens(rng, POINTS, 3, COORDINATES, "axes")
        labels, weights = rng.choice([-1.0, 1.0], POINTS), rng.uniform(0.5, 1.5, POINTS) / POINTS
        self.batch = kernel_batch(tokens, labels, weights)
        kind = "moe" if attention == "none" else "mot"
        self.model = Model(kind, experts, activation)
        self.routing, self.sets = Routing(scale=scale), experts if attention == "own" else 1
        r = COORDINATES
        matrices = rng.standard_normal((self.model.num_attentions, r, r))
        if attention == "equal":
            matrices[:] = matrices[0]
        logits = GATES[gate] * rng.standard_normal((experts, r))
        self.parameters = kernel_parameters(
            ModelParameters(rng.standard_normal((experts, 1, r)), matrices, logits)
        )

    def rule(self, logistic=False, negligible=0.0):
        rule = kernel_rule(self.model, "logistic" if logistic else "squared", self.routing)
        return rule._replace(trains_attention=False, negligible=negligible)

    def route(self, rule, buffers):
        return kernels.choose_route(self.parameters, self.batch, rule, buffers)

    def workspace(self, batch, blocks):
        """Scratch, not empty, with the moments of `blocks` blocks."""
        buffers = kernel_buffers(self.model, batch)
        shape = (blocks, self.sets, *buffers.moments.shape[2:])
        buffers = buffers._replace(moments=aligned_zeros(shape))
        kernels.refresh_moments(self.parameters, self.batch, self.rule(), buffers.moments)
        for name in ("logits", "gates", "choice", "by_gate", "outputs", "final", "ffn_across"):
            getattr(buffers, name)[:] = np.nan
        return buffers

    def results(self, step, rule, parts=1):
        """Losses of the parts, outputs, gradients by weights and gate, and the sums left."""
        batches = in_parts(self.batch, parts)
        whole, losses, outputs = len(self.batch.axes), [], []
        one = self.batch._replace(
            **{n: getattr(batches, n)[0] for n in self.batch._fields if n != "metric"}
        )
        buffers = self.workspace(one, whole)
        rule = rule._replace(route=int(self.route(rule, buffers)))
        gradient = kernels.Parameters(*(np.full_like(a, np.nan) for a in self.parameters))
        buffers.part[1] = whole
        for k in range(parts):
            buffers.part[0], buffers.part[2] = k * (whole // parts), parts - 1 - k
            losses.append(step(self.parameters, batches, k, rule, buffers, gradient))
            outputs.append(buffers.final.copy())
        return {
            "losses": np.array(losses), "outputs": np.concatenate(outputs),
            "ffn": gradient.ffn, "gate": gradient.gate,
            "sums left": np.append(buffers.ffn_sums.ravel(), buffers.gate_sums),
        }  # fmt: skip


def assert_same(case, rule, parts=1):
    want = case.results(step_in_sweeps, rule, parts)
    got = case.results(step_fused, rule, parts)
    for name, value in want.items():
        assert np.isfinite(value).all(), name
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    assert not want["sums left"].any()
    return want


@pytest.mark.parametrize(
    ("activation", "attention", "logistic"),
    list(product(("cubic", "linear"), ("own", "equal", "none"), (False, True))),
)
@pytest.mark.parametrize("gate", GATES)
def test_the_same_bits(activation, attention, logistic, gate):
    """q is pi, sharper, or so sharp that experts are passed over; several numbers of experts."""
    for experts, scale in product((1, 3, 8, 11), (1.0, 0.3)):
        case = Case(activation, attention, experts, gate, scale)
        for negligible in (0.0, 1e-3):
            assert_same(case, case.rule(logistic, negligible))


@pytest.mark.parametrize("scale", [1.0, 0.3])
def test_the_same_bits_in_parts(scale):
    case = Case(scale=scale)
    blocks = len(case.batch.axes)
    parts = next(n for n in (2, 3, 5, 7) if blocks % n == 0)
    want = assert_same(case, case.rule(negligible=1e-3), parts)
    whole = assert_same(case, case.rule(negligible=1e-3))
    np.testing.assert_array_equal(want["ffn"], whole["ffn"])
    np.testing.assert_array_equal(want["gate"], whole["gate"])


def test_experts_are_passed_over_and_not_all():
    """The cases above reach both branches: the limit changes gradients, and leaves some."""
    for gate, changes in (("equal", False), ("sharp", True)):
        case = Case(gate=gate, scale=0.3)
        free, limited = (case.results(step_fused, case.rule(negligible=n)) for n in (0.0, 1e-3))
        assert (free["ffn"] != limited["ffn"]).any() == changes
        assert limited["ffn"].any()


def test_equal_logits_choose_the_lowest_expert():
    case = Case(gate="equal", experts=3)
    found = case.results(step_fused, case.rule())["outputs"]
    case.parameters.ffn[1:] *= 2.0
    np.testing.assert_array_equal(case.results(step_fused, case.rule())["outputs"], found)
    case.parameters.ffn[0] *= 2.0
    assert (case.results(step_fused, case.rule())["outputs"] != found).any()


@pytest.mark.parametrize("scale", [1.0, 0.3])
@pytest.mark.parametrize("which", [0, 2, slice(None)])
def test_gates_that_are_no_numbers_show_in_the_loss(scale, which):
    """By which a run is known to diverge."""
    case = Case(experts=3, scale=scale)
    case.parameters.gate[which] = np.nan
    for step in (step_in_sweeps, step_fused):
        assert np.isnan(case.results(step, case.rule(negligible=1e-3))["losses"]).all()


@pytest.mark.parametrize(
    "change",
    [
        {"trains_attention": True}, {"gated": False}, {"sampled": True}, {"load_balance": 0.1},
        {"trains_ffn": False}, {"trains_gate": False}, {"top_k": 2}, {"neurons": 2},
    ],
    ids=lambda change: next(iter(change)),
)  # fmt: skip
def test_what_is_not_fused(change):
    """Any of these needs the sweeps; `test_passes` and `test_training` show what they give."""
    case = Case()
    buffers = case.workspace(case.batch, len(case.batch.axes))
    rule = case.rule()
    assert case.route(rule, buffers) == Route.FUSED
    other = Route.SIGNALS if "trains_attention" in change else Route.FROZEN
    assert case.route(rule._replace(**change), buffers) == other
    assert case.route(rule, kernel_buffers(case.model, case.batch)) == Route.FROZEN
