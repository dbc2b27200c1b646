"""Gradients of all parameters, and the loop of gradient steps over them."""

import numba
import numpy as np

from motsim.kernels.lanes import WIDTH, internal
from motsim.kernels.passes import pass_group, refresh_attention
from motsim.kernels.phases import BACKWARD, BOTH, DONE, FORWARD
from motsim.kernels.routing import (
    add_load_balance,
    gate_gradient,
    gate_logits,
    needed_blocks,
    selected_coefficients,
    selected_output,
    softmax,
    top_mask,
    top_output,
    total_loss,
)
from motsim.kernels.three import pass_three


@internal
def route(parameters, batch, rule, work, noise):
    """Fill h, pi and the training choice q of experts."""
    if not rule.gated:
        work.gates[:] = 1.0
        work.choice[:] = 1.0
        return
    gate_logits(parameters.gate, batch, work.logits)
    softmax(work.logits, 1.0, work.gates)
    if rule.sampled:
        for i in range(noise.shape[0]):
            for b in range(noise.shape[1]):
                work.by_gate[i, b] = work.logits[i, b] + noise[i, b]
        top_mask(work.by_gate, rule.top_k, work.choice)
    elif rule.routing_scale == 1.0:
        for i in range(work.gates.shape[0]):  # one array into another compiles for a second
            for b in range(work.gates.shape[1]):
                work.choice[i, b] = work.gates[i, b]
    else:
        softmax(work.logits, rule.routing_scale, work.choice)


@internal
def noise_free_loss(batch, rule, work):
    """Fill F, and return the noise-free expected loss."""
    if rule.gated and rule.top_k == 1:
        top_output(work.logits, work.gates, work.outputs, work.final)
    elif rule.gated:
        top_mask(work.logits, rule.top_k, work.by_output)
        selected_output(work.by_output, work.gates, work.outputs, work.final)
    else:
        selected_output(work.choice, work.gates, work.outputs, work.final)
    return total_loss(work.final, batch.labels, batch.weights, rule.logistic)


@numba.njit(error_model="numpy", inline="always")
def serves_all(batch, rule, work):
    """Whether a pass takes every expert in every block, instead of passing over negligible ones.

    With tokens off the axes one product of matrices for all is faster unless few are needed.
    """
    dense = rule.negligible == 0.0
    if not dense and batch.tokens.shape[2] > 0:
        needed = needed_blocks(work.choice, rule.negligible)
        dense = needed > rule.dense_above * (work.choice.size // WIDTH)
    return dense


@numba.njit(error_model="numpy", inline="always")
def pass_all(parameters, batch, rule, work, gradient, phase, dense):
    """The pass over every group of experts."""
    multiplies = dense and batch.tokens.shape[2] > 0
    if multiplies and phase != BACKWARD:
        np.dot(parameters.ffn, batch.columns, work.other_products)
    experts = work.outputs.shape[0]
    groups = parameters.attention.shape[0] if rule.mixed else experts
    three = batch.axes.shape[1] == 3 and batch.tokens.shape[2] == 0
    three = three and rule.mixed and groups == experts
    for group in range(groups):
        if three:
            pass_three(parameters, batch, rule, work, gradient, group, phase, dense)
        else:
            pass_group(parameters, batch, rule, work, gradient, group, groups, phase, dense)
    if multiplies and phase != FORWARD and rule.ffn_rate > 0.0:
        np.dot(work.other_products, batch.columns.T, work.other_gradient)
        for row in range(gradient.ffn.shape[0]):
            for a in range(gradient.ffn.shape[1]):
                gradient.ffn[row, a] += work.other_gradient[row, a]


@numba.njit(error_model="numpy", inline="always")
def differentiate(parameters, batch, rule, work, noise, gradient):
    """Fill the gradients of the parts with a rate; return the noise-free expected loss."""
    experts_train = rule.ffn_rate > 0.0 or rule.attention_rate > 0.0
    gate_trains = rule.gated and rule.gate_rate > 0.0
    # With expected routing the loss of a point is a sum over experts: one pass is enough.
    splits = rule.gated and not rule.sampled and (experts_train or gate_trains)
    route(parameters, batch, rule, work, noise)
    dense = serves_all(batch, rule, work)
    loss, phase = 0.0, BOTH if splits else FORWARD
    while phase != DONE:  # one call of the pass: a compiler writes it into each
        pass_all(parameters, batch, rule, work, gradient, phase, dense)
        if phase == BACKWARD:
            break
        loss = noise_free_loss(batch, rule, work)
        if phase == FORWARD and (experts_train or gate_trains):
            selected_coefficients(
                (batch.labels, batch.weights), rule.logistic, work.gates, work.choice,
                work.outputs, work.by_output, work.by_gate,
            )  # fmt: skip
        phase = BACKWARD if phase == FORWARD and experts_train else DONE
    if gate_trains:
        if rule.load_balance > 0.0:
            add_load_balance(
                batch.weights, work.choice, rule.load_balance, rule.top_k, work.by_gate
            )
        gate_gradient(work.gates, work.by_gate, batch, work.gate_sums, gradient.gate)
    if rule.class_axes > 0:
        keep_odd(gradient, rule.class_axes)
    return loss


@numba.njit(error_model="numpy", inline="always")
def keep_odd(gradient, class_axes):
    """Clear what cancels between mirror points: docs/theory.md §3."""
    gradient.ffn[:, :class_axes] = 0.0
    gradient.attention[:, :class_axes, class_axes:] = 0.0
    gradient.attention[:, class_axes:, :class_axes] = 0.0
    gradient.gate[:, class_axes:] = 0.0


@internal
def multiply(left, right, out):
    """Product of small matrices, always in the same order."""
    for i in range(left.shape[0]):
        for k in range(right.shape[1]):
            value = 0.0
            for a in range(left.shape[1]):
                value += left[i, a] * right[a, k]
            out[i, k] = value


@internal
def move(value, gradient, direction, parts, rate, normalized):
    """One descent step of flat arrays; `parts` of them are normalised one by one.

    The product of gradient and direction is the square of the gradient's length in d dimensions.
    A zero gradient moves nothing.
    """
    size = value.shape[0] // parts if normalized else value.shape[0]
    for first in range(0, value.shape[0], size):
        scale = rate
        if normalized:
            square = 0.0
            for a in range(first, first + size):
                square += gradient[a] * direction[a]
            if square == 0.0:
                continue
            scale = rate / np.sqrt(square)
        for a in range(first, first + size):
            value[a] -= scale * direction[a]


@numba.njit(error_model="numpy", inline="always")
def update(parameters, gradient, metric, rule, work):
    """Move every part that has a rate; experts and attention normalise one by one.

    Coordinates that are products with directions of Gram matrix G move along g G, a matrix of
    them along G g G (docs/theory.md §3).
    """
    skewed, r = metric.shape[0] > 0, parameters.ffn.shape[1]
    if rule.ffn_rate > 0.0:
        by_ffn = direction = gradient.ffn.ravel()
        if skewed:
            direction = work.direction[: by_ffn.shape[0]]
            multiply(gradient.ffn, metric, direction.reshape(gradient.ffn.shape))
        experts = parameters.ffn.shape[0] // rule.neurons
        move(parameters.ffn.ravel(), by_ffn, direction, experts, rule.ffn_rate, rule.ffn_normalized)
    if rule.attention_rate > 0.0:
        by_attention = direction = gradient.attention.ravel()
        matrices = parameters.attention.shape[0]
        if skewed:
            direction = work.direction[: by_attention.shape[0]]
            half = work.direction[by_attention.shape[0] :][: r * r].reshape((r, r))
            for i in range(matrices):
                multiply(gradient.attention[i], metric, half)
                multiply(metric, half, direction[i * r * r : (i + 1) * r * r].reshape((r, r)))
        move(
            parameters.attention.ravel(), by_attention, direction, matrices,
            rule.attention_rate, rule.attention_normalized,
        )  # fmt: skip
    if rule.gated and rule.gate_rate > 0.0:
        by_gate = direction = gradient.gate.ravel()
        if skewed:
            direction = work.direction[: by_gate.shape[0]]
            multiply(gradient.gate, metric, direction.reshape(gradient.gate.shape))
        move(parameters.gate.ravel(), by_gate, direction, 1, rule.gate_rate, rule.gate_normalized)


@numba.njit(cache=True, error_model="numpy")
def descend(parameters, batch, rule, work, noise, gradient, stop_loss, losses):
    """Take up to ``len(losses)`` steps in place; losses[t] is the loss before step t.

    Stops before the step at which the loss is at most `stop_loss` or not finite. Returns the
    number of steps taken. `noise` is (steps, M, B), or (1, 0, 0) where routing draws none.
    """
    for t in range(losses.shape[0]):
        drawn = noise[min(t, noise.shape[0] - 1)]
        losses[t] = differentiate(parameters, batch, rule, work, drawn, gradient)
        if not (losses[t] > stop_loss and losses[t] < np.inf):
            return t
        update(parameters, gradient, batch.metric, rule, work)
    return losses.shape[0]


def gradients(parameters, batch, rule, work, noise, gradient):
    """Fill the gradients at one place; return the noise-free expected loss there.

    Plain Python around one step of `descend`, which is compiled once for both; the parameters move
    by that step.
    """
    if rule.mixed:
        refresh_attention(parameters, batch, work)
    losses = np.empty(1)
    descend(parameters, batch, rule, work, noise[np.newaxis], gradient, -1.0, losses)
    return losses[0]
