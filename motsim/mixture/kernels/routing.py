"""Gate, routing, and the coefficients through which the loss reaches experts and gate.

Two losses of an output o for a label y = +-1: squared (y - o)^2 / 2, logistic log(1 + e^(-y o)).
A label (1 - 2 q) y is y seen flipped with probability q: slopes are the mean over both, losses y's.
"""

import math

from motsim.mixture.kernels.arguments import FIRST_BLOCK, PARTS_LEFT, batch_addresses
from motsim.mixture.kernels.experts import FIRST, SECOND, THIRD, add_product
from motsim.mixture.kernels.tiles import multiply_all
from motsim.vectors.addresses import (
    advance,
    load,
    load_broadcast,
    load_scalar,
    pointer,
    store,
    store_scalar,
)
from motsim.vectors.arithmetic import exp, exp_nonpositive
from motsim.vectors.lanes import (
    WIDTH,
    any_at_least,
    broadcast,
    cached,
    fma,
    inlined,
    internal,
    reduce_add,
    select_greater,
    written_out,
)


@cached
def gate_logits(gate, batch, out):
    """h (M, B): the gate (M, r) times the sum of each point's tokens."""
    batch_ptrs = batch_addresses(batch)
    if batch_ptrs.others > 0:
        multiply_all(gate, batch.token_sums, out)
    if batch_ptrs.signals == 0:
        return
    for i in range(out.shape[0]):
        row = advance(pointer(gate), i * batch_ptrs.coordinates)
        logits = advance(pointer(out), i * batch_ptrs.blocks * WIDTH)
        for block in range(batch_ptrs.blocks):
            axes = advance(batch_ptrs.axes, block * 3)
            amplitudes = advance(batch_ptrs.amplitudes, block * 3 * WIDTH)
            value = load(logits, block * WIDTH) if batch_ptrs.others > 0 else broadcast(0.0)
            value = fma(load(amplitudes, FIRST), load_broadcast(row, load_scalar(axes, 0)), value)
            value = fma(load(amplitudes, SECOND), load_broadcast(row, load_scalar(axes, 1)), value)
            value = fma(load(amplitudes, THIRD), load_broadcast(row, load_scalar(axes, 2)), value)
            store(logits, block * WIDTH, value)


@inlined
def least_exponent(negligible):
    """Exponent below which e to it is negligible."""
    return broadcast(min(math.log(negligible), 0.0) if negligible > 0.0 else -math.inf)


@cached
def softmax(logits, scale, out, negligible=0.0):
    """Softmax over the rows of logits / scale, both (M, B), B a multiple of 8.

    Eight neighbors that would all be below `negligible` are 0; it is less than the rounding of 1.
    """
    # e^((h_i - max h) / scale) / sum_j of the same
    experts, size = logits.shape
    inverse, end = broadcast(1.0 / scale), experts * size
    least = least_exponent(negligible)
    for b in range(0, size, WIDTH):
        h, q = advance(pointer(logits), b), advance(pointer(out), b)
        top = load(h, 0)
        for i in range(size, end, size):
            value = load(h, i)
            top = select_greater(value, top, value, top)
        norm = broadcast(0.0)
        for i in range(0, end, size):
            value = (load(h, i) - top) * inverse
            value = exp_nonpositive(value) if any_at_least(value, least) else broadcast(0.0)
            store(q, i, value)
            norm = norm + value
        norm = broadcast(1.0) / norm
        for i in range(0, end, size):
            store(q, i, load(q, i) * norm)


@internal
def needed_blocks(choice, negligible):
    """Number of blocks of eight of q (M, B) in which it is at least `negligible` somewhere."""
    count, limit = 0, broadcast(negligible)
    for choice_at in range(0, choice.size, WIDTH):
        count += any_at_least(load(pointer(choice), choice_at), limit)
    return count


@cached
def top_mask(logits, count, out):
    """1.0 at the `count` largest logits of each point, ties to the lowest row, else 0.0."""
    experts, size = logits.shape
    out[:] = 0.0
    for _ in range(count):
        for b in range(size):
            best = -1
            for i in range(experts):
                if out[i, b] == 0.0 and (best < 0 or logits[i, b] > logits[best, b]):
                    best = i
            out[best, b] = 1.0


@cached
def selected_output(mask, gates, outputs, out):
    """F (B,) = sum of pi_i f_i over the selected experts."""
    out[:] = 0.0
    for i in range(outputs.shape[0]):
        m, p, f = mask[i], gates[i], outputs[i]
        for b in range(out.shape[0]):
            out[b] += m[b] * p[b] * f[b]


@cached
def top_output(logits, gates, outputs, out):
    """F (B,) = pi_m f_m of the expert m with the largest logit, ties to the lowest row.

    B is a multiple of 8.
    """
    experts, size = logits.shape
    for b in range(0, size, WIDTH):
        h, p = advance(pointer(logits), b), advance(pointer(gates), b)
        f = advance(pointer(outputs), b)
        top, value = load(h, 0), load(p, 0) * load(f, 0)
        for i in range(size, experts * size, size):
            other = load(h, i)
            value = select_greater(other, top, load(p, i) * load(f, i), value)
            top = select_greater(other, top, other, top)
        store(pointer(out), b, value)


@written_out
def loss_slope(output, label, logistic):
    """Derivative of the loss of one output, mean over the flips of its label."""
    if logistic:
        sign = 1.0 if label > 0 else -1.0
        margin = sign * output
        # e^-|m| / (1 + e^-|m|) or 1 / (1 + e^-|m|): never overflows
        e = exp(-abs(margin))
        missed = (e if margin > 0 else 1.0) / (1.0 + e)
        return -sign * (missed - 0.5 * (1.0 - abs(label)))
    return output - label


@cached
def total_loss(outputs, labels, point_weights, logistic):
    """Weighted mean loss of outputs (B,) for labels that are not flipped."""
    total = 0.0
    for b in range(outputs.shape[0]):
        label = 1.0 if labels[b] > 0 else -1.0
        if logistic:
            margin = label * outputs[b]
            value = math.log1p(math.exp(-abs(margin))) + max(-margin, 0.0)
            if margin != margin:
                value = margin
        else:
            value = 0.5 * (label - outputs[b]) ** 2
        total += point_weights[b] * value
    return total


@inlined
def loss_slope_lanes(output, label, logistic):
    """The same for eight outputs."""
    if not logistic:
        return output - label
    zero, half, one = broadcast(0.0), broadcast(0.5), broadcast(1.0)
    sign = select_greater(label, zero, one, zero - one)
    margin = sign * output
    e = exp_nonpositive(select_greater(margin, zero, zero - margin, margin))
    missed = select_greater(margin, zero, e, one) / (one + e)
    return (zero - sign) * (missed - half * (one - sign * label))


@inlined
def expected_coefficient(batch_ptrs, logistic, buffer_ptrs, output_at, point_at):
    """Gradient of w sum_i q_i loss(pi_i f_i) by f, q constant; that by pi is written."""
    p, f, label = (
        load(buffer_ptrs.gates, output_at),
        load(buffer_ptrs.outputs, output_at),
        load(batch_ptrs.labels, point_at),
    )
    slope = load(batch_ptrs.point_weights, point_at) * load(buffer_ptrs.choice, output_at)
    slope = slope * loss_slope_lanes(p * f, label, logistic)
    store(buffer_ptrs.by_gate, output_at, slope * f)
    return slope * p


@cached
def selected_coefficients(points, logistic, gates, mask, outputs, slopes):
    """The same for sum_b w_b loss(sum over the selected experts of pi_i f_i)."""
    (labels, point_weights), (by_output, by_gate) = points, slopes
    slope = by_gate[-1]  # its own gradient is written last
    selected_output(mask, gates, outputs, slope)
    for b in range(labels.shape[0]):
        slope[b] = point_weights[b] * loss_slope(slope[b], labels[b], logistic)
    for i in range(outputs.shape[0]):
        m, p, f = mask[i], gates[i], outputs[i]
        c, g = by_output[i], by_gate[i]
        for b in range(labels.shape[0]):
            c[b] = slope[b] * m[b] * p[b]
            g[b] = slope[b] * m[b] * f[b]


@cached
def add_load_balance(point_weights, choice, coefficient, chosen, by_gate):
    """Add the gradient by pi of coefficient * M * sum_i fraction_i * mean_b pi_i.

    fraction_i = mean_b choice_i / chosen is held constant.
    """
    experts, size = choice.shape
    for i in range(experts):
        fraction = 0.0
        for b in range(size):
            fraction += point_weights[b] * choice[i, b]
        scale = coefficient * experts * fraction / chosen
        for b in range(size):
            by_gate[i, b] += scale * point_weights[b]


@cached
def gate_gradient(gates, by_gate, batch, buffers, out):
    """Gradient (M, r) by the gate from the gradient by pi, which is overwritten by that by h.

    Of parts of the points it is the sum, complete after the last.
    """
    # by h_i: pi_i (g_i - sum_j pi_j g_j), g the gradient by pi; by theta_i: times sum_l x_l
    batch_ptrs = batch_addresses(batch)
    experts, size = gates.shape
    coordinates, end = batch_ptrs.coordinates, experts * size
    span = coordinates * WIDTH
    for block in range(batch_ptrs.blocks):
        p, g = advance(pointer(gates), block * WIDTH), advance(pointer(by_gate), block * WIDTH)
        mean = broadcast(0.0)
        for i in range(0, end, size):
            mean = fma(load(p, i), load(g, i), mean)
        if batch_ptrs.signals == 0:
            for i in range(0, end, size):
                store(g, i, load(p, i) * (load(g, i) - mean))
            continue
        axes, sums = advance(batch_ptrs.axes, block * 3), pointer(buffers.gate_sums)
        amplitudes = advance(batch_ptrs.amplitudes, block * 3 * WIDTH)
        x, y, z = load(amplitudes, FIRST), load(amplitudes, SECOND), load(amplitudes, THIRD)
        for i in range(0, end, size):
            value = load(p, i) * (load(g, i) - mean)
            store(g, i, value)
            add_product(sums, load_scalar(axes, 0), x, value)
            add_product(sums, load_scalar(axes, 1), y, value)
            add_product(sums, load_scalar(axes, 2), z, value)
            sums = advance(sums, span)
    if buffers.part[FIRST_BLOCK] == 0:
        out[:] = 0.0
    if batch_ptrs.others > 0:
        multiply_all(by_gate, batch.token_sums.T, buffers.gate_part)
        for i in range(experts):
            for a in range(coordinates):
                out[i, a] += buffers.gate_part[i, a]
    if batch_ptrs.signals > 0 and buffers.part[PARTS_LEFT] == 0:
        row, sums = pointer(out), pointer(buffers.gate_sums)
        for a in range(experts * coordinates):
            store_scalar(row, a, load_scalar(row, a) + reduce_add(load(sums, a * WIDTH)))
            store(sums, a * WIDTH, broadcast(0.0))
