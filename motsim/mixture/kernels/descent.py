"""Gradients of all parameters, and the loop of gradient steps over them.

With expected routing and a frozen attention a step may go over the points in parts: all that it
does for one part stays in the cache. Passes are called by their addresses, so that only those are
compiled that a run needs (`vectors.linking`).
"""

import numpy as np
from numba import types

from motsim.mixture.kernels.arguments import (
    FIRST_BLOCK,
    PARTS_LEFT,
    Batch,
    Passes,
    Task,
    only_signals,
    part_of,
)
from motsim.mixture.kernels.frozen import pass_frozen
from motsim.mixture.kernels.fused import pass_fused
from motsim.mixture.kernels.gathered import pass_gathered
from motsim.mixture.kernels.passes import pass_groups, refresh_attention
from motsim.mixture.kernels.phases import BACKWARD, BOTH, DONE, FORWARD, PassMode
from motsim.mixture.kernels.routes import GATHERED, Route, choose_route
from motsim.mixture.kernels.routing import (
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
from motsim.mixture.kernels.three import pass_three
from motsim.mixture.kernels.updates import update
from motsim.vectors.addresses import load, pointer, same_address, store
from motsim.vectors.lanes import WIDTH, cached, internal, written_out
from motsim.vectors.linking import address_of, caller

#: The pass over points of a route that is not fused into one loop.
APART = {
    Route.FROZEN: pass_frozen, Route.SIGNALS: pass_three, Route.GENERAL: pass_groups,
    Route.GATHERED: pass_gathered,
}  # fmt: skip
nothing_from, number_from = caller(types.none), caller(types.float64)


@internal
def route(parameters, batch, rule, buffers, noise):
    """Fill h, pi and the training choice q of experts."""
    if not rule.gated:
        buffers.gates[:] = 1.0
        buffers.choice[:] = 1.0
        return
    gate_logits(parameters.gate, batch, buffers.logits)
    softmax(buffers.logits, 1.0, buffers.gates, 0.0)
    if rule.sampled:
        for i in range(noise.shape[0]):
            for b in range(noise.shape[1]):
                buffers.by_gate[i, b] = buffers.logits[i, b] + noise[i, b]
        top_mask(buffers.by_gate, rule.top_k, buffers.choice)
    elif rule.routing_scale == 1.0:
        if not same_address(pointer(buffers.gates), pointer(buffers.choice)):
            for choice_at in range(0, buffers.gates.size, WIDTH):
                store(pointer(buffers.choice), choice_at, load(pointer(buffers.gates), choice_at))
    else:
        softmax(buffers.logits, rule.routing_scale, buffers.choice, rule.negligible)


@internal
def noise_free_loss(batch, rule, buffers):
    """Fill F, and return the noise-free expected loss."""
    if rule.gated and rule.top_k == 1:
        top_output(buffers.logits, buffers.gates, buffers.outputs, buffers.final)
    elif rule.gated:
        top_mask(buffers.logits, rule.top_k, buffers.by_output)
        selected_output(buffers.by_output, buffers.gates, buffers.outputs, buffers.final)
    else:
        selected_output(buffers.choice, buffers.gates, buffers.outputs, buffers.final)
    return total_loss(buffers.final, batch.labels, batch.point_weights, rule.logistic)


@written_out
def serves_all(batch, rule, buffers):
    """Whether a pass takes every expert in every block, instead of passing over negligible ones.

    With tokens off the axes one product of matrices for all is faster unless few are needed.
    """
    dense = rule.negligible == 0.0
    if not dense and batch.tokens.shape[2] > 0:
        needed = needed_blocks(buffers.choice, rule.negligible)
        dense = needed > rule.dense_above * (buffers.choice.size // WIDTH)
    return dense


def passes_of(parameters, parts, rule, buffers, gradient):
    """`Passes` of the steps of a rule, which holds their route; what they need is compiled."""
    route = Route(rule.route)
    if route == Route.FUSED:
        i_part = np.int64(0)
        return Passes(address_of(pass_fused, parameters, parts, i_part, rule, buffers, gradient), 0)
    batch = part_of.py_func(parts, 0)
    return Passes(
        0,
        address_of(APART[route], parameters, batch, rule, buffers, gradient, PassMode(BOTH, True)),
    )


@written_out
def differentiate(parameters, task, noise, gradient):
    """Fill the gradients of what trains; return the noise-free expected loss."""
    parts, rule, buffers, passes = task.parts, task.rule, task.buffers, task.passes
    count, loss = parts.axes.shape[0], 0.0
    for i_part in range(count):
        buffers.part[FIRST_BLOCK], buffers.part[PARTS_LEFT] = (
            i_part * parts.axes.shape[1],
            count - 1 - i_part,
        )
        if passes.fused != 0:
            loss += number_from(passes.fused, (parameters, parts, i_part, rule, buffers, gradient))
        else:
            loss += differentiate_part(parameters, part_of(parts, i_part), task, noise, gradient)
    if rule.class_axes > 0:
        keep_odd(gradient, rule.class_axes)
    return loss


@written_out
def differentiate_part(parameters, batch, task, noise, gradient):
    """Add what some of the points give; gradients are complete after the last part."""
    rule, buffers, code = task.rule, task.buffers, task.passes.apart
    experts_train = rule.trains_ffn or rule.trains_attention
    gate_trains = rule.gated and rule.trains_gate
    # With expected routing the loss of a point is a sum over experts, and with sampled routing of
    # one expert it is that expert's: one pass is enough.
    splits = rule.gated and (not rule.sampled or rule.route == GATHERED)
    splits = splits and (experts_train or gate_trains)
    route(parameters, batch, rule, buffers, noise)
    dense = serves_all(batch, rule, buffers)
    loss, phase = 0.0, BOTH if splits else FORWARD
    while phase != DONE:
        mode = PassMode(phase, dense)
        nothing_from(code, (parameters, batch, rule, buffers, gradient, mode))
        if phase == BACKWARD:
            break
        loss = noise_free_loss(batch, rule, buffers)
        if phase == FORWARD and (experts_train or gate_trains):
            selected_coefficients(
                (batch.labels, batch.point_weights), rule.logistic, buffers.gates, buffers.choice,
                buffers.outputs, (buffers.by_output, buffers.by_gate),
            )  # fmt: skip
        phase = BACKWARD if phase == FORWARD and experts_train else DONE
    if gate_trains:
        if rule.load_balance > 0.0:
            add_load_balance(
                batch.point_weights, buffers.choice, rule.load_balance, rule.top_k, buffers.by_gate
            )
        gate_gradient(buffers.gates, buffers.by_gate, batch, buffers, gradient.gate)
    return loss


@written_out
def keep_odd(gradient, class_axes):
    """Clear what cancels between mirror points: docs/theory.md §3."""
    gradient.ffn[:, :class_axes] = 0.0
    gradient.attention[:, :class_axes, class_axes:] = 0.0
    gradient.attention[:, class_axes:, :class_axes] = 0.0
    gradient.gate[:, class_axes:] = 0.0


@cached
def take_steps(parameters, task, gradient, stop_loss, losses):
    """Do what `descend_in_parts` does; the task has the passes that such steps take."""
    noise = task.noise
    for t in range(losses.shape[0]):
        drawn = noise[min(t, noise.shape[0] - 1)]
        losses[t] = differentiate(parameters, task, drawn, gradient)
        if not (losses[t] > stop_loss and losses[t] < np.inf):
            return t
        update(parameters, gradient, task.parts.metric, task.rule, task.buffers)
    return losses.shape[0]


def descend_in_parts(parameters, parts, rule, buffers, noise, gradient, stop_loss, losses):
    """Take up to ``len(losses)`` steps in place; losses[t] is the loss before step t.

    The points are in parts, of which there is one unless routing is expected, without load
    balance, and attention frozen. Stops before the step at which the loss is at most `stop_loss` or
    not finite. Returns the number of steps taken. `noise` is (steps, M, B), or (1, 0, 0) where
    routing draws none.
    """
    passes = passes_of(parameters, parts, rule, buffers, gradient)
    task = Task(parts, rule, buffers, noise, True, passes)
    return take_steps(parameters, task, gradient, stop_loss, losses)


def descend(parameters, batch, rule, buffers, noise, gradient, stop_loss, losses):
    """The same over points in one part, by the route that `choose_route` finds; plain Python."""
    rule = rule._replace(route=int(choose_route(parameters, batch, rule, buffers)))
    parts = Batch(*(array[np.newaxis] for array in batch[:-1]), batch.metric)
    return descend_in_parts(parameters, parts, rule, buffers, noise, gradient, stop_loss, losses)


def gradients(parameters, batch, rule, buffers, noise, gradient):
    """Fill the gradients where the parameters are; return the noise-free expected loss there.

    Nothing moves: it is the loop of `descend`, so that this is compiled once for both, and at any
    loss stops before its first step.
    """
    if rule.mixed and not only_signals(batch):
        refresh_attention(parameters, batch, buffers)
    losses = np.empty(1)
    descend(parameters, batch, rule, buffers, noise[np.newaxis], gradient, np.inf, losses)
    return losses[0]
