"""The pass that gathers points by expert against the one that serves all experts everywhere."""

import numpy as np
import pytest

from motsim.mixture import kernels
from motsim.mixture.engine.layout import (
    kernel_batch,
    kernel_buffers,
    kernel_parameters,
    kernel_rule,
)
from motsim.mixture.engine.parts import in_parts
from motsim.mixture.kernels.routes import Route
from motsim.mixture.model import Model, Routing
from tests.mixture.kernel_cases import Case

#: Experts, neurons, coordinates, tokens, points, and where tokens lie: few and many points, some
#: tokens on axes, one expert, two coordinates, more neurons than a tile of registers.
SHAPES = [
    (3, 2, 6, 4, 150, "axes"),
    (5, 1, 7, 6, 40, "axes"),
    (2, 5, 5, 4, 300, "distinct"),
    (1, 2, 4, 5, 70, "distinct"),
    (8, 16, 9, 4, 33, "axes"),
    (4, 3, 2, 2, 7, "distinct"),
]


def step(shape, route, *, loss="squared", activation="cubic", turned=False, **changes):
    """Loss and gradients of one step with sampled routing; `turned`: to the next expert."""
    case = Case(shape)
    model = Model("moe", case.experts, activation, num_neurons=shape[1])
    batch = kernel_batch(case.points.tokens, case.points.labels, case.points.weights)
    value = kernel_parameters(case.parameters(model))
    rule = kernel_rule(model, loss, Routing("sampled"))._replace(**changes)
    buffers = kernel_buffers(model, batch)
    for name in ("outputs", "by_gate", "moved", "other_products"):
        getattr(buffers, name)[:] = 3.0
    assert kernels.choose_route(value, batch, rule, buffers) == Route.GATHERED
    rule, parts = rule._replace(route=int(route)), in_parts(batch, 1)
    noise = case.rng.gumbel(size=(1, case.experts, len(batch.labels)))
    if turned:
        noise = np.roll(noise, 1, axis=1)
    gradient = kernels.Parameters(*(np.full_like(array, 7.0) for array in value))
    losses = np.empty(1)
    kernels.descend_in_parts(value, parts, rule, buffers, noise, gradient, np.inf, losses)
    assert not buffers.ffn_sums.any()
    return losses[0], gradient


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"loss": "logistic"},
        {"activation": "linear"},
        {"load_balance": 0.3},
        {"trains_ffn": False},
        {"trains_gate": False},
        {"trains_ffn": False, "trains_gate": False},
    ],
    ids=str,
)
def test_gathered_points_give_the_same_gradients(shape, options):
    (loss, found), (other, general) = (
        step(shape, route, **options) for route in (Route.GATHERED, Route.GENERAL)
    )
    assert loss == other  # of every point the same operations
    for name in ("ffn", "gate"):
        trains = options.get(f"trains_{name}", True)
        got, want = getattr(found, name), getattr(general, name)
        np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)
        assert (got != 7.0).any() == trains


def test_points_of_another_expert_are_seen():
    """Negative control: noise of the wrong experts changes gradients, not the noise-free loss."""
    loss, found = step(SHAPES[0], Route.GATHERED)
    other, turned = step(SHAPES[0], Route.GATHERED, turned=True)
    assert loss == other
    assert not np.allclose(found.ffn, turned.ffn, rtol=1e-3)
    assert not np.allclose(found.gate, turned.gate, rtol=1e-3)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [({"sampled": False}, "moe"), ({"top_k": 2}, "moe"), ({}, "mot"), ({}, "single")],
)
def test_other_steps_do_not_gather(changes, kind):
    case = Case(SHAPES[0])
    model = Model(kind, 1 if kind == "single" else case.experts)
    batch = kernel_batch(case.points.tokens, case.points.labels, case.points.weights)
    rule = kernel_rule(model, "squared", Routing("sampled"))._replace(**changes)
    value = kernel_parameters(Case((model.num_experts, 1, *SHAPES[0][2:])).parameters(model))
    found = kernels.choose_route(value, batch, rule, kernel_buffers(model, batch))
    assert found != Route.GATHERED
