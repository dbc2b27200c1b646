"""A block of eight points and its image: attention weights, and what is done with them for both.

The image has the same tokens but the first, which is the negative (`arguments`). For a query that
is not the first token only the score of the first key differs, so both have the weights

    p, E / n  and  p', E / n',   E the exponentials of the other scores, less the largest of them,

and mix the other tokens once. In memory, L + 3 numbers a row, queries before keys:

    row 0           the first token's weights (L) in the block
    row q           p, E (L - 1), p', 1 / n, 1 / n'
    the row after   the first token's weights (L) in the image

Of weights summed over queries there are the first row and the last.
"""

from motsim.mixture.kernels.experts import SECOND, THIRD
from motsim.vectors.addresses import advance, load, load3, prefetch, store, two
from motsim.vectors.arithmetic import exp_nonpositive, softmax_over_keys
from motsim.vectors.lanes import WIDTH, broadcast, fma, inlined, select_greater, sum_fma

#: Numbers of a row beside its keys.
EXTRA = 3


@inlined
def probs_row(attention_probs, row, length):
    """Address of a row of weights."""
    return advance(attention_probs, row * (length + EXTRA) * WIDTH)


@inlined
def relative_exponential(score, top):
    """e^(score - top), where it may be large: beyond e^700 what is not the first is 0 beside it."""
    limit, zero, value = broadcast(700.0), broadcast(0.0), score - top
    value = select_greater(value, limit, limit, value) + (value - value)  # infinite becomes NaN
    e = exp_nonpositive(select_greater(value, zero, zero - value, value))
    return select_greater(value, zero, broadcast(1.0) / e, e)


@inlined
def softmax_of_pair(scores, query, length, attention_probs):
    """Weights of one query of a block and its image, from the block's `scores` (L, 8)."""
    zero = broadcast(0.0)
    if query == 0:  # in the image its scores have the other sign, but for that of itself
        softmax_over_keys(scores, length, attention_probs)
        for key in range(WIDTH, length * WIDTH, WIDTH):
            store(scores, key, zero - load(scores, key))
        softmax_over_keys(scores, length, probs_row(attention_probs, length, length))
        return
    # E_k = e^(S_k - max S) over all keys but the first, p = e^(S_1 - max S) / n, n = sum of these;
    # p' and n' with -S_1
    row, first, top = (
        probs_row(attention_probs, query, length),
        load(scores, 0),
        load(scores, WIDTH),
    )
    for key in range(2 * WIDTH, length * WIDTH, WIDTH):
        value = load(scores, key)
        top = select_greater(value, top, value, top)
    norm = zero
    for key in range(WIDTH, length * WIDTH, WIDTH):
        value = exp_nonpositive(load(scores, key) - top)
        norm = norm + value
        store(row, key, value)
    own, image = relative_exponential(first, top), relative_exponential(zero - first, top)
    by_own, by_image = broadcast(1.0) / (norm + own), broadcast(1.0) / (norm + image)
    store(row, 0, own * by_own)
    extra = advance(row, length * WIDTH)
    store(extra, 0, image * by_image)
    store(extra, WIDTH, by_own)
    store(extra, 2 * WIDTH, by_image)


@inlined
def mixed_rest(row, t, rest, count):
    """Sum over all keys but the first of a row times t; `rest` is t from the fourth key."""
    value = fma(load(row, THIRD), t[2], load(row, SECOND) * t[1])
    row = advance(row, 3 * WIDTH)
    for k in range(0, count * WIDTH, WIDTH):
        value = fma(load(row, k), load(rest, k), value)
    return value


@inlined
def add_outputs(values, u_ptr, apart, cubic, sums):
    """Add phi of u and v to two sums, and keep both, v `apart` numbers on."""
    (u, v), (f, g) = values, sums
    store(u_ptr, 0, u)
    store(u_ptr, apart, v)
    if cubic:
        return sum_fma(u * u, u, f), sum_fma(v * v, v, g)
    one = broadcast(1.0)
    return sum_fma(u, one, f), sum_fma(v, one, g)


@inlined
def add_row(row, tokens, u_ptr, apart, cubic, sums):
    """Mix by a row that block and image share, or by two rows.

    `tokens` are L, t of the first three, and the address of t from the fourth.
    """
    length, t, rest = tokens
    value, extra = mixed_rest(row, t, rest, length - 3), advance(row, length * WIDTH)
    # u = p t_1 + sum_k E_k t_k / n, and v with p', n' and -t_1
    u = fma(value, load(extra, WIDTH), load(row, 0) * t[0])
    v = value * load(extra, 2 * WIDTH) - load(extra, 0) * t[0]
    return add_outputs((u, v), u_ptr, apart, cubic, sums)


@inlined
def ask_ahead(pair, at, count):
    """Ask for some of the weights that are next, if in single precision and not in the cache."""
    prefetch(advance(pair.ahead, at), count * pair.asks)


@inlined
def pair_outputs(batch_ptrs, pair, queries, cubic, t_ptrs, mixed):
    """Sums over l of phi(u_l) of block and image, from t of the block; keeps u (2, Q, 8)."""
    (products, others), attention_probs = t_ptrs, pair.attention_probs
    length, zero = batch_ptrs.signals + batch_ptrs.others, broadcast(0.0)
    t = load3(products if batch_ptrs.signals > 0 else others)
    rest = others if batch_ptrs.signals > 0 else advance(others, 3 * WIDTH)
    row, apart = probs_row(attention_probs, queries, length), queries * WIDTH
    u = fma(load(attention_probs, 0), t[0], mixed_rest(attention_probs, t, rest, length - 3))
    v = mixed_rest(row, t, rest, length - 3) - load(row, 0) * t[0]
    sums = add_outputs((u, v), mixed, apart, cubic, (zero, zero))
    tokens = length, t, rest
    span, query = (length + EXTRA) * WIDTH, 1
    while query < queries:
        row, u_ptr = advance(attention_probs, query * span), advance(mixed, query * WIDTH)
        ask_ahead(pair, (query // 2) * span, span)
        if query + 1 < queries:
            rows, u_ptrs = two(row, span), two(u_ptr, WIDTH)
            sums = add_row(rows, tokens, u_ptrs, apart, cubic, sums)
        else:
            sums = add_row(row, tokens, u_ptr, apart, cubic, sums)
        query += 2
    return sums


@inlined
def transposed(column, slopes, rows, span):
    """Sum over rows of a column of weights, or of two, times slopes."""
    value = load(column, 0) * load(slopes, 0)
    for row in range(1, rows):
        value = fma(load(column, row * span), load(slopes, row * WIDTH), value)
    return value


@inlined
def unmix_pair(batch_ptrs, pair, queries, mixed, by_product, others):
    """Gradient by t from the gradients by u (2, Q, 8) of both, which are overwritten."""
    # by t_1: sum_l p_l g_l - p'_l g'_l, g and g' the gradients by u of block and image;
    # by t_k: sum_l E_lk (g_l / n_l + g'_l / n'_l), for l = 1 P_1k g_1 + P'_1k g'_1
    length, image = batch_ptrs.signals + batch_ptrs.others, advance(mixed, queries * WIDTH)
    attention_probs = pair.attention_probs
    last = probs_row(attention_probs, queries, length)
    first = load(attention_probs, 0) * load(mixed, 0) - load(last, 0) * load(image, 0)
    for query in range(1, queries):  # one slope for the keys that both share
        row, at = probs_row(attention_probs, query, length), query * WIDTH
        extra, own, other = advance(row, length * WIDTH), load(mixed, at), load(image, at)
        first = fma(load(row, 0), own, first) - load(extra, 0) * other
        store(mixed, at, fma(load(extra, WIDTH), own, load(extra, 2 * WIDTH) * other))
    # Now `mixed` has the slopes of all rows: the last is that of the image's first query.
    rows, span = queries + 1, (length + EXTRA) * WIDTH
    head = by_product if batch_ptrs.signals > 0 else others
    rest = others if batch_ptrs.signals > 0 else advance(others, 3 * WIDTH)
    store(head, 0, first)
    value = transposed(two(advance(attention_probs, WIDTH), WIDTH), mixed, rows, span)
    store(two(advance(head, WIDTH), WIDTH), 0, value)
    key = 3
    while key < length:
        ask_ahead(pair, (rows // 2 + key // 2 - 1) * span, span)
        column, to = advance(attention_probs, key * WIDTH), advance(rest, (key - 3) * WIDTH)
        if key + 1 < length:
            value = transposed(two(column, WIDTH), mixed, rows, span)
            store(two(to, WIDTH), 0, value)
        else:
            store(to, 0, transposed(column, mixed, rows, span))
        key += 2


@inlined
def score_gradient_of_pair(attention_probs, length, by_score):
    """Gradient by the block's scores (L, L, 8), from those by the weights of both, in place.

    A score of the first token and another one has the other sign in the image.
    """
    # by S[l, k]: P[l, k] (g_k - sum_j P[l, j] g_j), g_k the gradient by P[l, k], plus or minus the
    # same of the image; P = E / n and P' = E / n' for all keys but the first
    image = advance(by_score, length * length * WIDTH)
    last, end = probs_row(attention_probs, length, length), length * WIDTH
    mean, other_mean = broadcast(0.0), broadcast(0.0)
    for key in range(0, end, WIDTH):
        mean = fma(load(attention_probs, key), load(by_score, key), mean)
        other_mean = fma(load(last, key), load(image, key), other_mean)
    for key in range(0, end, WIDTH):
        own = load(attention_probs, key) * (load(by_score, key) - mean)
        other = load(last, key) * (load(image, key) - other_mean)
        store(by_score, key, own + other if key == 0 else own - other)
    for query in range(1, length):
        row, at = probs_row(attention_probs, query, length), query * length * WIDTH
        s, z = advance(by_score, at), advance(image, at)
        extra, p = advance(row, length * WIDTH), load(row, 0)
        q, by_own, by_image = load(extra, 0), load(extra, WIDTH), load(extra, 2 * WIDTH)
        mean, other_mean = broadcast(0.0), broadcast(0.0)
        for key in range(WIDTH, end, WIDTH):
            e = load(row, key)
            mean = fma(e, load(s, key), mean)
            other_mean = fma(e, load(z, key), other_mean)
        mean = fma(mean, by_own, p * load(s, 0))
        other_mean = fma(other_mean, by_image, q * load(z, 0))
        store(s, 0, p * (load(s, 0) - mean) - q * (load(z, 0) - other_mean))
        both = fma(by_own, mean, by_image * other_mean)
        for key in range(WIDTH, end, WIDTH):
            slope = fma(by_own, load(s, key), by_image * load(z, key))
            store(s, key, load(row, key) * (slope - both))
