"""A batch through the gate and the experts, its loss, and the gradients."""

from motsim.minibatch.kernels import softmax
from motsim.minibatch.losses import output_loss
from motsim.minibatch.passes import (
    backward,
    backward_block,
    count_blocks,
    forward_block,
    gathered_block,
)
from motsim.minibatch.tiles import Sizes, inlined_whole, multiply, rows_of, transpose_of
from motsim.vectors.addresses import pointer
from motsim.vectors.lanes import internal

__all__ = ["batch_gradients", "batch_outputs", "route_batch"]


@inlined_whole
def route_batch(parameters, batch, rule, noise, buffers):
    """Which experts see which of a batch; noise (b, M), or (0, 0) for none."""
    num_samples = batch.i_samples.size
    if rule.gated or rule.pooled:
        pool(batch, buffers)
    if rule.gated:
        value_gate(parameters, num_samples, noise, buffers)
    if rule.everyone:
        for i in range(buffers.starts.size - 1):
            for s in range(num_samples):
                buffers.i_in_batch[i * num_samples + s] = s
            buffers.starts[i + 1] = (i + 1) * num_samples
    else:
        group(num_samples, buffers)


@internal
def pool(batch, buffers):
    """Sum of the tokens of each sample."""
    data = batch.data
    dim = data.tokens.shape[2]
    for s in range(batch.i_samples.size):
        sums = data.token_sums[data.rows[batch.i_samples[s]]]
        for k in range(dim):
            buffers.pooled[s, k] = sums[k]
        if data.task_tokens.shape[0] > 0:
            task = data.task_tokens[data.tasks[batch.i_samples[s]]]
            for k in range(dim):
                buffers.pooled[s, k] += task[k]


@internal
def value_gate(parameters, num_samples, noise, buffers):
    """Logits of the gate, with noise and as probabilities."""
    experts, wide = buffers.logits.shape[1], buffers.pooled.shape[1]
    for i in range(experts):
        for k in range(wide):
            buffers.gate_across[k, i] = parameters.gate[i, 0, k]
    # h_i = theta_i . sum_l x_l, pi = softmax over i of h
    multiply(
        rows_of(pointer(buffers.pooled), wide), pointer(buffers.gate_across),
        pointer(buffers.by_gate), Sizes(num_samples, wide, buffers.by_gate.shape[1]), False,
    )  # fmt: skip
    noisy = noise.shape[0] > 0
    for s in range(num_samples):
        for i in range(experts):
            h = buffers.by_gate[s, i]
            buffers.gates[s, i] = h
            buffers.logits[s, i] = h
            buffers.noisy[s, i] = h + noise[s, i] if noisy else h
    softmax(buffers.gates[:num_samples])


@internal
def group(num_samples, buffers):
    """Sort the samples by the expert of the largest noisy logit, the first of equals or NaN."""
    noisy, experts = buffers.noisy, buffers.noisy.shape[1]
    buffers.starts[:] = 0
    for s in range(num_samples):
        best = 0
        for i in range(1, experts):
            if not noisy[s, i] <= noisy[s, best] and noisy[s, best] == noisy[s, best]:
                best = i
        buffers.routed[s] = best
        buffers.starts[best + 1] += 1
    for i in range(experts):
        buffers.starts[i + 1] += buffers.starts[i]
    for s in range(num_samples):  # starts[i] moves on to where expert i ends
        i = buffers.routed[s]
        buffers.i_in_batch[buffers.starts[i]] = s
        buffers.starts[i] += 1
    for i in range(experts, 0, -1):
        buffers.starts[i] = buffers.starts[i - 1]
    buffers.starts[0] = 0


@inlined_whole
def batch_gradients(parameters, batch, rule, buffers, gradient):
    """Loss of a batch; fills its gradients, after `route_batch`, and `forward` without a gate."""
    if rule.trains_ffn:
        gradient.ffn[:] = 0.0
    if rule.trains_attention:
        gradient.attention[:] = 0.0
    if rule.gated:
        loss = gated_loss(parameters, batch, rule, buffers, gradient)
        loss += gate_gradient(rule, batch.i_samples.size, buffers, gradient)
    else:
        loss = heads_loss(batch, rule, buffers)
        backward(batch, rule, buffers, gradient)
    return loss


@inlined_whole
def gated_loss(parameters, batch, rule, buffers, gradient):
    """Mean loss of the pairs, and the experts' gradients, block by block.

    The loss of a pair is its own, so both passes go over a block while it is in the cache.
    """
    num_samples = batch.i_samples.size
    if rule.everyone:
        # q = softmax over i of h / lambda
        for s in range(num_samples):
            for i in range(buffers.choice.shape[1]):
                buffers.choice[s, i] = buffers.logits[s, i] / rule.routing_scale
        softmax(buffers.choice[:num_samples])
    buffers.by_gate[:] = 0.0
    buffers.load[:] = 0.0
    loss, transposed = 0.0, buffers.attention_probs.shape[0] > 0
    for i_block in range(count_blocks(num_samples, buffers)):
        block = gathered_block(i_block, batch, rule, transposed, buffers)
        if block.num_pairs > 0:
            forward_block(parameters, rule, block, buffers)
            loss += pairs_loss(batch, rule, block, buffers)
            backward_block(rule, block, buffers, gradient)
    return loss


@internal
def pairs_loss(batch, rule, block, buffers):
    """Mean loss of a block's pairs; fills the gradients by their outputs and the gate's values."""
    # share loss(v f), v = pi_i or the logit; by f: share loss'(v f) v, by v: share loss'(v f) f
    loss, i, num_samples = 0.0, block.i_expert, batch.i_samples.size
    for p in range(block.first_pair, block.first_pair + block.num_pairs):
        s = buffers.i_in_batch[p]
        share = (buffers.choice[s, i] if rule.everyone else 1.0) / num_samples
        value = buffers.noisy[s, i] if rule.by_logit else buffers.gates[s, i]
        for c in range(buffers.outputs.shape[1]):
            buffers.by_output[p, c] = value * buffers.outputs[p, c]
        target = batch.data.targets[batch.i_samples[s]]
        loss += share * output_loss(buffers.by_output[p], target, rule.loss)
        by_value = 0.0
        for c in range(buffers.outputs.shape[1]):
            slope = share * buffers.by_output[p, c]
            by_value += slope * buffers.outputs[p, c]
            buffers.by_output[p, c] = slope * value
        buffers.by_gate[s, i] = by_value
        buffers.load[i] += share
    return loss


@internal
def gate_gradient(rule, num_samples, buffers, gradient):
    """Fill the gradient by the gate, and return the penalty of the load.

    The penalty is M sum_i load_i mean(pi_i) with the load held constant. d pi_i / d h_j =
    pi_i (delta_ij - pi_j).
    """
    experts, wide = buffers.logits.shape[1], buffers.pooled.shape[1]
    pull, penalty = rule.load_balance * experts / num_samples, 0.0
    for s in range(num_samples):
        by_value, by_load = 0.0, 0.0
        for i in range(experts):
            by_value += buffers.gates[s, i] * buffers.by_gate[s, i]
            by_load += buffers.gates[s, i] * (pull * buffers.load[i])
        for i in range(experts):
            if not rule.by_logit:
                buffers.by_gate[s, i] = buffers.gates[s, i] * (buffers.by_gate[s, i] - by_value)
            if rule.load_balance > 0.0:
                buffers.by_gate[s, i] += buffers.gates[s, i] * (pull * buffers.load[i] - by_load)
        penalty += by_load
    # by theta_i: sum over samples of that by h_i times sum_l x_l
    multiply(
        transpose_of(pointer(buffers.by_gate), buffers.by_gate.shape[1]), pointer(buffers.pooled),
        pointer(gradient.gate), Sizes(experts, num_samples, wide), False,
    )  # fmt: skip
    return penalty


@internal
def heads_loss(batch, rule, buffers):
    """Mean loss of the sum of all heads; fills the gradients by the outputs of the pairs."""
    num_samples, outputs = batch.i_samples.size, buffers.outputs.shape[1]
    heads = buffers.starts.size - 1
    sum_heads(num_samples, buffers)
    loss = 0.0
    for s in range(num_samples):
        target = batch.data.targets[batch.i_samples[s]]
        loss += output_loss(buffers.final[s], target, rule.loss)
        for i in range(heads):
            for c in range(outputs):
                buffers.by_output[i * num_samples + s, c] = buffers.final[s, c] / num_samples
    return loss / num_samples


@internal
def sum_heads(num_samples, buffers):
    """Fill the outputs (b, C) without a gate."""
    # F = sum_i f_i
    for s in range(num_samples):
        for c in range(buffers.outputs.shape[1]):
            found = 0.0
            for i in range(buffers.starts.size - 1):
                found += buffers.outputs[i * num_samples + s, c]
            buffers.final[s, c] = found


@inlined_whole
def batch_outputs(rule, num_samples, buffers, outputs, routed):
    """Outputs (b, C) of the samples, and the expert of each, after `route_batch` and `forward`."""
    if not rule.gated:
        sum_heads(num_samples, buffers)
    for p in range(num_samples):
        s, value = p, 1.0
        if rule.gated:
            s = buffers.i_in_batch[p]
            i = buffers.routed[s]
            value = buffers.noisy[s, i] if rule.by_logit else buffers.gates[s, i]
            routed[s] = i
        for c in range(buffers.outputs.shape[1]):
            outputs[s, c] = value * buffers.outputs[p, c] if rule.gated else buffers.final[s, c]
