"""What scratch holds, and how much at a time, does not change what a step finds."""

import numpy as np
import pytest

from motsim.mixture import kernels
from motsim.mixture.engine.layout import (
    aligned,
    aligned_zeros,
    kernel_batch,
    kernel_buffers,
    kernel_parameters,
    kernel_rule,
)
from motsim.mixture.model import Model, ModelParameters, Routing
from tests.mixture.kernel_cases import random_tokens

EXPERTS, POINTS = 3, 60

# --- blocks at a time -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["mot", "shared"])
@pytest.mark.parametrize("tokens", ["axes", "distinct"])
def test_blocks_at_a_time_do_not_matter(tokens, kind):
    """Other tokens wait in `moved` for a few blocks at a time: 1, 3 and all give one gradient."""
    rng = np.random.default_rng(5)
    x = random_tokens(rng, POINTS, 5, 6, tokens)
    batch = kernel_batch(x, rng.choice([-1.0, 1.0], POINTS), np.full(POINTS, 1 / POINTS))
    model = Model(kind, EXPERTS, "cubic")
    start = kernel_parameters(
        ModelParameters(
            rng.standard_normal((EXPERTS, 1, 6)),
            rng.standard_normal((model.num_attentions, 6, 6)),
            rng.standard_normal((EXPERTS, 6)),
        )
    )
    rule, buffers = kernel_rule(model, "squared", Routing()), kernel_buffers(model, batch)
    assert len(buffers.moved) == len(batch.axes) >= 8

    def by_attention(scratch):
        value, gradient = (kernels.Parameters(*(a.copy() for a in start)) for _ in range(2))
        kernels.gradients(value, batch, rule, scratch, np.zeros((0, 0)), gradient)
        return gradient.attention

    want = by_attention(buffers)
    for count in (1, 3):
        got = by_attention(buffers._replace(moved=aligned(buffers.moved[:count])))
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-13 * np.abs(want).max())


# --- attention that is not kept ------------------------------------------------------------------


@pytest.mark.parametrize("activation", ["cubic", "linear"])
@pytest.mark.parametrize("routing", ["expected", "sampled"])
@pytest.mark.parametrize("trains_attention", [False, True])
def test_weights_that_are_not_kept_are_computed_in_each_pass(activation, routing, trains_attention):
    """The same numbers to rounding, computed again instead of read."""
    rng = np.random.default_rng(6)
    x = random_tokens(rng, POINTS, 3, 6, "axes")
    batch = kernel_batch(x, rng.choice([-1.0, 1.0], POINTS), np.full(POINTS, 1 / POINTS))
    model = Model("mot", EXPERTS, activation, num_neurons=2)
    start = kernel_parameters(
        ModelParameters(
            rng.standard_normal((EXPERTS, 2, 6)),
            rng.standard_normal((EXPERTS, 6, 6)),
            rng.standard_normal((EXPERTS, 6)),
        )
    )
    rule = kernel_rule(model, "squared", Routing(routing))._replace(
        trains_attention=trains_attention
    )
    noise = rng.standard_normal((EXPERTS, len(batch.labels)))

    def found(scratch):
        value, gradient = (kernels.Parameters(*(a.copy() for a in start)) for _ in range(2))
        loss = kernels.gradients(value, batch, rule, scratch, noise, gradient)
        return [np.array(loss), *gradient]

    kept = bare = kernel_buffers(model, batch)
    if not trains_attention:
        shape = (len(batch.axes), EXPERTS, *kept.moments.shape[2:])
        kept = kept._replace(moments=aligned_zeros(shape))
        kernels.refresh_moments(start, batch, rule, kept.moments)
    else:
        bare = bare._replace(attention_probs=bare.attention_probs[:0])
    for a, b in zip(found(kept), found(bare), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-12, atol=1e-13 * np.abs(a).max())
    if not trains_attention:  # what is kept is read: other moments, another loss
        kept.moments[:] *= 1.001
        assert found(kept)[0] != pytest.approx(found(bare)[0], rel=1e-9)
