"""The passes written out for three signal tokens against the general one, on the same blocks."""

from itertools import product

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
from motsim.mixture.kernels.frozen import pass_frozen
from motsim.mixture.kernels.passes import pass_groups
from motsim.mixture.kernels.phases import BACKWARD, BOTH, FORWARD, PassMode
from motsim.mixture.kernels.three import pass_three
from motsim.mixture.model import Model, ModelParameters, Routing
from tests.mixture import numpy_reference as reference
from tests.mixture.kernel_cases import random_tokens

EXPERTS, COORDINATES, POINTS = 3, 5, 60
#: activation, attention: trained, frozen, one for all experts, or none; of frozen attention the
#: general pass may keep sums over the queries, and the other one may keep nothing
ATTENTIONS = [
    *product(("linear", "cubic"), ("trained", "frozen", "equal", "none", "frozen, not kept")),
    ("linear", "frozen, summed"),
    ("linear", "equal, summed"),
    ("cubic", "equal, not kept"),
]


def passes(attention):
    """The general pass, and the one written out."""
    return [pass_groups, pass_three if attention == "trained" else pass_frozen]


class Problem:
    """One model on one batch of points with three signal tokens."""

    def __init__(self, activation, attention, neurons=1, seed=0, tokens=None):
        rng = np.random.default_rng([seed, neurons])
        if tokens is None:
            tokens = random_tokens(rng, POINTS, 3, COORDINATES, "axes")
        size = len(tokens)
        self.rng, self.attention = rng, attention
        self.batch = kernel_batch(tokens, rng.choice([-1.0, 1.0], size), np.full(size, 1 / size))
        assert self.batch.axes.shape[1] == 3
        self.model = Model("moe" if attention == "none" else "mot", EXPERTS, activation, neurons)
        r = tokens.shape[2]
        matrices = rng.standard_normal((self.model.num_attentions, r, r))
        if "equal" in attention:
            matrices[:] = matrices[0]
        self.parameters = kernel_parameters(
            ModelParameters(
                rng.standard_normal((EXPERTS, neurons, r)),
                matrices,
                np.zeros((EXPERTS, r)),
            )
        )
        shape = (3, EXPERTS, len(self.batch.labels))
        self.gates, self.choice, self.by_output = rng.uniform(0.1, 1.0, shape)

    def rule(self, loss="squared"):
        """Every part trained that is not frozen."""
        trains = self.attention == "trained"
        return kernel_rule(self.model, loss, Routing())._replace(trains_attention=trains)

    def workspace(self):
        """Scratch with what a stage keeps of its attention."""
        buffers = kernel_buffers(self.model, self.batch)
        if self.attention == "trained":
            buffers.attention_probs[:] = np.nan  # to be computed
        else:
            kernels.refresh_attention(self.parameters, self.batch, buffers)
            weights = buffers.attention_probs
            if "equal" in self.attention:
                weights = weights[:1]
            if "summed" in self.attention:
                weights = aligned(weights.sum(axis=2, keepdims=True))
            buffers = buffers._replace(attention_probs=weights)
        if self.attention != "trained" and "not kept" not in self.attention:
            sets = 1 if self.attention in ("equal", "equal, summed", "none") else EXPERTS
            blocks, (terms, width) = len(self.batch.axes), buffers.moments.shape[2:]
            buffers = buffers._replace(moments=aligned_zeros((blocks, sets, terms, width)))
            kernels.refresh_moments(self.parameters, self.batch, self.rule(), buffers.moments)
        buffers.gates[:], buffers.choice[:] = self.gates, self.choice
        return buffers

    def call(self, one_pass, rule, buffers, gradient, phase, dense):
        """One phase for all experts."""
        one_pass(self.parameters, self.batch, rule, buffers, gradient, PassMode(phase, dense))

    def run(self, one_pass, phases, *, logistic=False, trains_ffn=True, negligible=0.0):
        """What a pass leaves behind: results and gradients by name."""
        rule = self.rule("logistic" if logistic else "squared")
        rule = rule._replace(trains_ffn=trains_ffn, negligible=negligible)
        buffers = self.workspace()
        gradient = kernels.Parameters(*(np.full_like(a, np.nan) for a in self.parameters))
        for phase in phases:
            if phase == BACKWARD:
                buffers.by_output[:] = self.by_output
            self.call(one_pass, rule, buffers, gradient, phase, negligible == 0.0)
        assert (buffers.ffn_sums == 0.0).all()  # ready for the next step
        assert (buffers.attention_sums == 0.0).all()
        found = {"outputs": buffers.outputs}
        if phases == [BOTH]:
            found["by_gate"] = buffers.by_gate
        if phases == [FORWARD] and self.attention == "trained":
            found["weights"] = buffers.attention_probs
        if phases != [FORWARD] and trains_ffn:
            found["by_ffn"] = gradient.ffn
        if phases != [FORWARD] and self.attention == "trained":
            found["by_attention"] = gradient.attention
        return found


def distance(ours, theirs):
    """Largest difference, by the largest number of each array."""
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert np.isfinite(value).all(), name
    return max(np.abs(ours[k] - theirs[k]).max() / np.abs(theirs[k]).max() for k in ours)


ALL_PHASES = [[FORWARD], [FORWARD, BACKWARD], [BOTH]]


@pytest.mark.parametrize("phases", ALL_PHASES, ids=["forward", "backward", "both"])
@pytest.mark.parametrize("neurons", [1, 2])
@pytest.mark.parametrize(("activation", "attention"), ATTENTIONS)
def test_both_passes_agree(activation, attention, neurons, phases):
    for seed, logistic in enumerate((False, True)):
        case = Problem(activation, attention, neurons, seed)
        one, other = passes(attention)
        general = case.run(one, phases, logistic=logistic)
        assert distance(case.run(other, phases, logistic=logistic), general) < 1e-13
        # Negative control: weights off by 1e-6 are far outside the tolerance.
        parts = [case.parameters.ffn[0]]
        if attention != "none":
            parts.append(case.parameters.attention[0])
        for part in parts:
            kept = part.copy()
            part *= 1 + 1e-6 * case.rng.standard_normal(part.shape)
            moved = case.run(other, phases, logistic=logistic)
            assert distance(moved, general) > 1e-9
            part[:] = kept


@pytest.mark.parametrize("phases", ALL_PHASES[1:], ids=["backward", "both"])
@pytest.mark.parametrize("activation", ["linear", "cubic"])
def test_both_passes_agree_where_only_attention_trains(activation, phases):
    case = Problem(activation, "trained", 2)
    general, three = (case.run(p, phases, trains_ffn=False) for p in passes("trained"))
    assert distance(three, general) < 1e-13
    assert "by_ffn" not in three


def test_one_pass_does_what_two_do():
    """Forward, the coefficients, backward: the same as both at once."""
    cases = [(a, p) for a in ("trained", "frozen") for p in passes(a)]
    for attention, one_pass in cases:
        case = Problem("cubic", attention, 2)
        together = case.run(one_pass, [BOTH])
        by_gate, outputs = together.pop("by_gate"), together["outputs"]
        case.by_output = by_gate * case.gates / outputs  # the slope times pi, not f
        assert distance(case.run(one_pass, [FORWARD, BACKWARD]), together) < 1e-13


def test_gradients_of_a_pass_are_those_of_the_reference():
    """So that agreement is not agreement in error: one expert, all points, summed by hand."""
    case = Problem("cubic", "trained", 2)
    found = case.run(pass_three, [FORWARD, BACKWARD])
    tokens = np.eye(COORDINATES)[case.batch.axes][:, :, None] * case.batch.amplitudes[..., None]
    by_point = tokens.transpose(0, 2, 1, 3).reshape(-1, 3, COORDINATES)
    w, matrix = case.parameters.ffn[2:4], case.parameters.attention[1]
    pairs = [
        reference.expert_gradient(w, matrix, x, "cubic", c)
        for x, c in zip(by_point, case.by_output[1], strict=True)
    ]
    by_w, by_a = (sum(part) for part in zip(*pairs, strict=True))
    np.testing.assert_allclose(found["by_ffn"][2:4], by_w, rtol=1e-11, atol=1e-11)
    np.testing.assert_allclose(found["by_attention"][1], by_a, rtol=1e-11, atol=1e-11)


# --- softmax of three -----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 30.0, 1e3])
def test_attention_of_three_with_ties_and_large_scores(scale):
    """Whole numbers: every pattern of equal and largest scores comes up."""
    rng = np.random.default_rng(7)
    axes = np.array([[0, 1, 2], [0, 0, 1]])[rng.integers(2, size=200)]
    tokens = rng.integers(-2, 3, (200, 3, 1)) * np.eye(3)[axes]
    case = Problem("linear", "trained", tokens=tokens)
    case.parameters.attention[:] = scale * rng.integers(-1, 2, (EXPERTS, 3, 3))
    general, three = (case.run(p, [FORWARD])["weights"] for p in passes("trained"))
    np.testing.assert_allclose(three, general, rtol=1e-13, atol=1e-300)
    np.testing.assert_allclose(three.sum(axis=3), 1.0, rtol=1e-15)
    patterns = {
        tuple(row)
        for row in (three == three.max(axis=3, keepdims=True))
        .transpose(0, 1, 2, 4, 3)
        .reshape(-1, 3)
    }
    assert len(patterns) == 7  # which keys share the first place
    if scale == 1e3:
        assert set(np.unique(three.round(12))) == {0.0, round(1 / 3, 12), 0.5, 1.0}


@pytest.mark.parametrize(
    ("one_pass", "attention"),
    [(pass_groups, "trained"), (pass_three, "trained"), (pass_frozen, "frozen, not kept")],
    ids=["general", "three", "frozen"],
)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_lane(one_pass, attention, bad):
    case = Problem("cubic", attention)
    clean = case.run(one_pass, [FORWARD])["outputs"]
    for token in range(3):
        case.batch.amplitudes[1, token, 4] = bad
        buffers = case.workspace()
        case.call(one_pass, case.rule(), buffers, case.parameters, FORWARD, True)
        lane = np.zeros(len(case.batch.labels), dtype=bool)
        lane[kernels.WIDTH + 4] = True
        assert not np.isfinite(buffers.outputs[:, lane]).any()
        np.testing.assert_array_equal(buffers.outputs[:, ~lane], clean[:, ~lane])
        case.batch.amplitudes[1, token, 4] = 0.5
        clean = case.run(one_pass, [FORWARD])["outputs"]
