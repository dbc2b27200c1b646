"""One neuron on a block of eight points and its image, forward and backward."""

from motsim.mixture.kernels.experts import (
    FIRST,
    SECOND,
    THIRD,
    activation_gradient,
    add_other_gradient,
    add_signal_gradient,
    neuron_output,
    other_products,
    plain_output,
    signal_products,
    unmix,
)
from motsim.mixture.kernels.mirrors import pair_outputs, unmix_pair
from motsim.vectors.addresses import advance, load, store
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, written_out


@inlined
def at_once(rule, buffer_ptrs):
    """Whether t of the other tokens, and the gradient by it, are taken for all weights at once."""
    return buffer_ptrs.dense and not rule.trains_attention


@inlined
def mixed_ptr(batch_ptrs, buffer_ptrs, slot):
    """Where u of one neuron is, of the block and then of the image."""
    return advance(
        buffer_ptrs.mixed,
        slot * batch_ptrs.images * (batch_ptrs.signals + batch_ptrs.others) * WIDTH,
    )


@inlined
def sign_of(image):
    """By which the first token of an image is taken, and its results: 1 for a block itself."""
    return broadcast(-1.0 if image > 0 else 1.0)


@inlined
def token_products(neuron, pair, batch_ptrs, rule, buffer_ptrs, products):
    """Fill t of one neuron, of the other tokens unless it is there."""
    # t_k = w . x_k
    signals, coordinates = batch_ptrs.signals, batch_ptrs.coordinates
    weight, i_pair = neuron.weight, pair.i_pair
    if signals > 0:
        block = i_pair * batch_ptrs.images
        axes = advance(batch_ptrs.axes, block * signals)
        t0, t1, t2 = signal_products(
            weight, axes, advance(batch_ptrs.amplitudes, block * signals * WIDTH)
        )
        store(products, FIRST, t0)
        store(products, SECOND, t1)
        store(products, THIRD, t2)
    if batch_ptrs.others > 0 and not at_once(rule, buffer_ptrs):
        tokens = advance(batch_ptrs.tokens, i_pair * coordinates * batch_ptrs.others * WIDTH)
        other_products(weight, tokens, batch_ptrs.others, coordinates, neuron.others)


@written_out
def forward(neuron, pair, batch_ptrs, rule, buffer_ptrs):
    """Sums over l of phi(u_l) of a neuron for a block and its image, 0 where there is none.

    t, and u where there is attention, are kept in the neuron's slot of the buffers; t of the other
    tokens in its `others`.
    """
    # u_l = sum_k P[l, k] t_k, or t_l without attention; sum_l phi(u_l)
    slot, others = neuron.slot, neuron.others
    f, g, signals = broadcast(0.0), broadcast(0.0), batch_ptrs.signals
    products = advance(buffer_ptrs.products, slot * (signals + batch_ptrs.others) * WIDTH)
    mixed = mixed_ptr(batch_ptrs, buffer_ptrs, slot)
    token_products(neuron, pair, batch_ptrs, rule, buffer_ptrs, products)
    if not rule.mixed:
        f = plain_output(signals, rule.cubic, sign_of(0), products)
        f = f + plain_output(batch_ptrs.others, rule.cubic, sign_of(0), others)
        if batch_ptrs.images > 1:
            sign = sign_of(1)
            g = plain_output(signals, rule.cubic, sign, products)
            sign = broadcast(1.0) if signals > 0 else sign
            g = g + plain_output(batch_ptrs.others, rule.cubic, sign, others)
    elif batch_ptrs.images > 1:
        f, g = pair_outputs(
            batch_ptrs, pair, buffer_ptrs.queries, rule.cubic, (products, others),
            mixed,
        )  # fmt: skip
    else:
        f = neuron_output(
            batch_ptrs, pair.attention_probs, buffer_ptrs.queries, rule.cubic, (products, others),
            mixed,
        )  # fmt: skip
    return f, g


@inlined
def add_score_slopes(batch_ptrs, products, others, sign, mixed, by_score):
    """Add one neuron's part of the gradient by the weights (L, L, 8): g_l t_k."""
    signals, length = batch_ptrs.signals, batch_ptrs.signals + batch_ptrs.others
    start = 0 if signals > 0 else WIDTH
    first = load(products if signals > 0 else others, 0) * sign
    for query in range(length):
        slope = load(mixed, query * WIDTH)
        row = advance(by_score, query * length * WIDTH)
        store(row, 0, fma(slope, first, load(row, 0)))
        for key in range(WIDTH, signals * WIDTH, WIDTH):
            store(row, key, fma(slope, load(products, key), load(row, key)))
        row = advance(row, signals * WIDTH)
        for key in range(start, batch_ptrs.others * WIDTH, WIDTH):
            store(row, key, fma(slope, load(others, key), load(row, key)))


@inlined
def plain_gradient(coefficients, batch_ptrs, cubic, products, others):
    """Overwrite t by the gradient by it, where there is no attention: block and image together."""
    own, image = coefficients
    first, rest = own - image, own + image
    if batch_ptrs.signals > 0:
        activation_gradient(first, rest, products, batch_ptrs.signals, cubic)
        first = rest
    activation_gradient(first, rest, others, batch_ptrs.others, cubic)


@written_out
def backward(coefficients, neuron, pair, batch_ptrs, rule, buffer_ptrs):
    """Add a neuron's part of the gradients by its weights, to its sums, and by the scores.

    From those by f of the block and of the image, the latter's negative. The gradient by t of the
    other tokens overwrites t in `others`.
    """
    slot, others, attention_probs = neuron.slot, neuron.others, pair.attention_probs
    signals, coordinates = batch_ptrs.signals, batch_ptrs.coordinates
    length = signals + batch_ptrs.others
    products = advance(buffer_ptrs.products, slot * length * WIDTH)
    slopes = buffer_ptrs.by_product if rule.mixed else products
    if rule.mixed:
        # g_l = c phi'(u_l); by P[l, k]: g_l t_k; by t_k: sum_l P[l, k] g_l
        mixed = mixed_ptr(batch_ptrs, buffer_ptrs, slot)
        for image in range(batch_ptrs.images):
            c = coefficients[1] if image > 0 else coefficients[0]
            slope = advance(mixed, image * buffer_ptrs.queries * WIDTH)
            activation_gradient(c, c, slope, buffer_ptrs.queries, rule.cubic)
            if rule.trains_attention:
                by_score = advance(buffer_ptrs.by_score, image * length * length * WIDTH)
                add_score_slopes(batch_ptrs, products, others, sign_of(image), slope, by_score)
        if rule.trains_ffn and batch_ptrs.images > 1:
            unmix_pair(batch_ptrs, pair, buffer_ptrs.queries, mixed, slopes, others)
        elif rule.trains_ffn:
            unmix(batch_ptrs, attention_probs, buffer_ptrs.queries, mixed, slopes, others)
    elif rule.trains_ffn:
        plain_gradient(coefficients, batch_ptrs, rule.cubic, products, others)
    if not rule.trains_ffn:
        return
    # by w: sum_k x_k times that by t_k
    if signals > 0:
        block = pair.i_pair * batch_ptrs.images
        axes = advance(batch_ptrs.axes, block * signals)
        amplitudes = advance(batch_ptrs.amplitudes, block * signals * WIDTH)
        add_signal_gradient(slopes, axes, amplitudes, neuron.sums)
    if batch_ptrs.others > 0 and not at_once(rule, buffer_ptrs):
        tokens = advance(batch_ptrs.tokens, pair.i_pair * coordinates * batch_ptrs.others * WIDTH)
        add_other_gradient(others, tokens, batch_ptrs.others, coordinates, neuron.sums)
