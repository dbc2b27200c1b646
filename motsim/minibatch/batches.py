"""A batch through the gate and the experts, its loss, and the gradients."""

from motsim.minibatch.kernels import softmax
from motsim.minibatch.losses import output_loss
from motsim.minibatch.passes import (
    backward,
    backward_block,
    block_at,
    count_blocks,
    forward_block,
    gather,
)
from motsim.minibatch.tiles import inlined_whole, multiply
from motsim.vectors.addresses import pointer
from motsim.vectors.lanes import internal

__all__ = ["batch_gradients", "batch_outputs", "route_batch"]


@inlined_whole
def route_batch(data, weights, rule, members, noise, work):
    """Which experts see which of a batch, members (b,); noise (b, M), or (0, 0) for none."""
    batch = members.size
    if rule.gated or rule.pooled:
        pool(data, members, work)
    if rule.gated:
        value_gate(weights, batch, noise, work)
    if rule.everyone:
        for i in range(work.starts.size - 1):
            for s in range(batch):
                work.place[i * batch + s] = s
            work.starts[i + 1] = (i + 1) * batch
    else:
        group(batch, work)


@internal
def pool(data, members, work):
    """Sum of the tokens of each sample."""
    dim = data.tokens.shape[2]
    for s in range(members.size):
        sums = data.token_sums[data.rows[members[s]]]
        for k in range(dim):
            work.pooled[s, k] = sums[k]
        if data.task_tokens.shape[0] > 0:
            task = data.task_tokens[data.tasks[members[s]]]
            for k in range(dim):
                work.pooled[s, k] += task[k]


@internal
def value_gate(weights, batch, noise, work):
    """Logits of the gate, with noise and as probabilities."""
    experts, wide = work.logits.shape[1], work.pooled.shape[1]
    for i in range(experts):
        for k in range(wide):
            work.gate_columns[k, i] = weights.gate[i, 0, k]
    multiply(
        pointer(work.pooled), wide, 1, pointer(work.gate_columns), pointer(work.by_gate),
        batch, wide, work.by_gate.shape[1], False,
    )  # fmt: skip
    noisy = noise.shape[0] > 0
    for s in range(batch):
        for i in range(experts):
            work.chances[s, i] = work.by_gate[s, i]
            work.logits[s, i] = work.by_gate[s, i]
            work.noisy[s, i] = work.by_gate[s, i] + noise[s, i] if noisy else work.by_gate[s, i]
    softmax(work.chances[:batch])


@internal
def group(batch, work):
    """Sort the samples by the expert of the largest noisy logit, the first of equals or NaN."""
    noisy, experts = work.noisy, work.noisy.shape[1]
    work.starts[:] = 0
    for s in range(batch):
        best = 0
        for i in range(1, experts):
            if not noisy[s, i] <= noisy[s, best] and noisy[s, best] == noisy[s, best]:
                best = i
        work.routed[s] = best
        work.starts[best + 1] += 1
    for i in range(experts):
        work.starts[i + 1] += work.starts[i]
    for s in range(batch):  # starts[i] moves on to where expert i ends
        i = work.routed[s]
        work.place[work.starts[i]] = s
        work.starts[i] += 1
    for i in range(experts, 0, -1):
        work.starts[i] = work.starts[i - 1]
    work.starts[0] = 0


@inlined_whole
def batch_gradients(data, weights, rule, members, work, training):
    """Loss of a batch; fills its gradients, after `route_batch`, and `forward` without a gate."""
    gradient = training.gradient
    if training.with_ffn:
        gradient.ffn[:] = 0.0
    if training.with_attention:
        gradient.attention[:] = 0.0
    if rule.gated:
        loss = gated_loss(data, weights, rule, members, work, training)
        loss += gate_gradient(rule, members.size, work, gradient)
    else:
        loss = heads_loss(data, rule, members, work)
        backward(
            data, rule, members, training.with_ffn, training.with_attention, work, gradient
        )  # fmt: skip
    return loss


@inlined_whole
def gated_loss(data, weights, rule, members, work, training):
    """Mean loss of the pairs, and the experts' gradients, block by block.

    The loss of a pair is its own, so both passes go over a block while it is in the cache.
    """
    if rule.everyone:
        for s in range(members.size):
            for i in range(work.shares.shape[1]):
                work.shares[s, i] = work.logits[s, i] / rule.scale
        softmax(work.shares[: members.size])
    work.by_gate[:] = 0.0
    work.load[:] = 0.0
    loss, transposed = 0.0, work.weights.shape[0] > 0
    for k in range(count_blocks(members.size, work)):
        i, first, n, new = block_at(rule, members.size, k, work)
        if n > 0:
            if new:
                gather(data, rule, members, first, n, transposed, work)
            forward_block(weights, rule, i, first, n, work)
            loss += pairs_loss(data, rule, members, i, first, n, work)
            backward_block(
                rule, i, first, n, training.with_ffn, training.with_attention, work,
                training.gradient,
            )  # fmt: skip
    return loss


@internal
def pairs_loss(data, rule, members, i, first, n, work):
    """Mean loss of n pairs of expert i; fills their slopes, the gradient by the gate's values."""
    loss = 0.0
    for p in range(first, first + n):
        s = work.place[p]
        share = (work.shares[s, i] if rule.everyone else 1.0) / members.size
        value = work.noisy[s, i] if rule.by_logit else work.chances[s, i]
        for c in range(work.outputs.shape[1]):
            work.slopes[p, c] = value * work.outputs[p, c]
        loss += share * output_loss(work.slopes[p], data.targets[members[s]], rule.loss)
        by_value = 0.0
        for c in range(work.outputs.shape[1]):
            slope = share * work.slopes[p, c]
            by_value += slope * work.outputs[p, c]
            work.slopes[p, c] = slope * value
        work.by_gate[s, i] = by_value
        work.load[i] += share
    return loss


@internal
def gate_gradient(rule, batch, work, gradient):
    """Fill the gradient by the gate, and return the penalty of the load.

    The penalty is M sum_i load_i mean(pi_i) with the load held constant. d pi_i / d h_j =
    pi_i (delta_ij - pi_j).
    """
    experts, wide = work.logits.shape[1], work.pooled.shape[1]
    pull, penalty = rule.load_balance * experts / batch, 0.0
    for s in range(batch):
        by_value, by_load = 0.0, 0.0
        for i in range(experts):
            by_value += work.chances[s, i] * work.by_gate[s, i]
            by_load += work.chances[s, i] * (pull * work.load[i])
        for i in range(experts):
            if not rule.by_logit:
                work.by_gate[s, i] = work.chances[s, i] * (work.by_gate[s, i] - by_value)
            if rule.load_balance > 0.0:
                work.by_gate[s, i] += work.chances[s, i] * (pull * work.load[i] - by_load)
        penalty += by_load
    multiply(
        pointer(work.by_gate), 1, work.by_gate.shape[1], pointer(work.pooled),
        pointer(gradient.gate), experts, batch, wide, False,
    )  # fmt: skip
    return penalty


@internal
def heads_loss(data, rule, members, work):
    """Mean loss of the sum of all heads; fills the slopes of the pairs."""
    batch, outputs, heads = members.size, work.outputs.shape[1], work.starts.size - 1
    sum_heads(batch, work)
    loss = 0.0
    for s in range(batch):
        loss += output_loss(work.final[s], data.targets[members[s]], rule.loss)
        for i in range(heads):
            for c in range(outputs):
                work.slopes[i * batch + s, c] = work.final[s, c] / batch
    return loss / batch


@internal
def sum_heads(batch, work):
    """Fill the outputs (b, C) without a gate."""
    for s in range(batch):
        for c in range(work.outputs.shape[1]):
            found = 0.0
            for i in range(work.starts.size - 1):
                found += work.outputs[i * batch + s, c]
            work.final[s, c] = found


@inlined_whole
def batch_outputs(rule, batch, work, outputs, routed):
    """Outputs (b, C) of the samples, and the expert of each, after `route_batch` and `forward`."""
    if not rule.gated:
        sum_heads(batch, work)
    for p in range(batch):
        s, value = p, 1.0
        if rule.gated:
            s = work.place[p]
            i = work.routed[s]
            value = work.noisy[s, i] if rule.by_logit else work.chances[s, i]
            routed[s] = i
        for c in range(work.outputs.shape[1]):
            outputs[s, c] = value * work.outputs[p, c] if rule.gated else work.final[s, c]
