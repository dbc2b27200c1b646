"""The models, their gradients and plain descent, written only to be obvious.

Loops over points and experts, one formula a line, no shared code with motsim. Symbols follow
docs/theory.md: x_l tokens (rows of X), z_l attention outputs, f experts, h logits, pi gates.
"""

import numpy as np


def softmax(scores):
    """Softmax of a vector."""
    e = np.exp(scores - np.max(scores))
    return e / e.sum()


def attention_weights(matrix, x):
    """P[k, l] = softmax over keys k of x_k . A x_l, from x (L, d)."""
    scores = x @ matrix @ x.T
    return np.stack([softmax(scores[:, query]) for query in range(len(x))], axis=1)


def attended(matrix, x):
    """z (L, d); z = x where there is no attention."""
    return x if matrix is None else attention_weights(matrix, x).T @ x


def phi(activation, u):
    return u**3 if activation == "cubic" else u


def phi_slope(activation, u):
    return 3 * u**2 if activation == "cubic" else np.ones_like(u)


def expert_output(w, matrix, x, activation):
    """f = sum over tokens and neurons of phi(w_j . z_l), w (J, d)."""
    return phi(activation, attended(matrix, x) @ w.T).sum()


def loss_of(loss, label, output):
    if loss == "squared":
        return 0.5 * (label - output) ** 2
    return np.logaddexp(0.0, -label * output)


def loss_slope(loss, label, output):
    if loss == "squared":
        return output - label
    return -label / (1.0 + np.exp(label * output))


def top_mask(scores, count):
    """1 at the `count` largest, ties to the lowest index."""
    mask = np.zeros(len(scores))
    mask[np.argsort(-scores, kind="stable")[:count]] = 1.0
    return mask


def expert_gradient(w, matrix, x, activation, coefficient):
    """Gradient of coefficient * f by w (J, d) and by A (d, d; None without attention)."""
    z = attended(matrix, x)
    by_u = coefficient * phi_slope(activation, z @ w.T)  # (L, J)
    by_w = by_u.T @ z
    if matrix is None:
        return by_w, None
    p = attention_weights(matrix, x)
    by_z = by_u @ w  # (L, d)
    by_a = np.zeros_like(matrix)
    for query in range(len(x)):
        by_p = x @ by_z[query]
        by_score = p[:, query] * (by_p - p[:, query] @ by_p)
        for key in range(len(x)):
            by_a += by_score[key] * np.outer(x[key], x[query])
    return by_w, by_a


def matrix_of(attention, i):
    """Attention matrix of expert i: its own, the shared one, or None."""
    return None if len(attention) == 0 else attention[i if len(attention) > 1 else 0]


def expected_loss(gate, ffn, attention, points, activation, loss, top_k=1):
    """Loss with noise-free routing; gate (0, d) means the sum of all heads."""
    total = 0.0
    for x, label, weight in zip(*points, strict=True):
        f = np.array(
            [expert_output(w, matrix_of(attention, i), x, activation) for i, w in enumerate(ffn)]
        )
        if len(gate):
            h = gate @ x.sum(axis=0)
            f = top_mask(h, top_k) * softmax(h) * f
        total += weight * loss_of(loss, label, f.sum())
    return total


def gradients(
    gate, ffn, attention, points, activation, loss, *, routing_scale=1.0, noise=None, top_k=1,
    load_balance=0.0,
):  # fmt: skip
    """Gradients (gate, ffn, attention) of the training loss; `noise` (P, M) means sampled."""
    by_gate, by_ffn, by_attention = (np.zeros_like(a) for a in (gate, ffn, attention))
    count = len(ffn)
    logits = [gate @ x.sum(axis=0) if len(gate) else np.zeros(count) for x in points[0]]
    if not len(gate):
        chosen = [np.ones(count) for _ in logits]
    elif noise is None:
        chosen = [softmax(h / routing_scale) for h in logits]
    else:
        chosen = [top_mask(h + r, top_k) for h, r in zip(logits, noise, strict=True)]
    fraction = sum(w * q for w, q in zip(points[2], chosen, strict=True)) / top_k
    for x, label, weight, h, q in zip(*points, logits, chosen, strict=True):
        pi = softmax(h) if len(gate) else np.ones(count)
        matrices = [matrix_of(attention, i) for i in range(count)]
        f = np.array([expert_output(ffn[i], matrices[i], x, activation) for i in range(count)])
        if len(gate) and noise is None:
            slope = weight * q * loss_slope(loss, label, pi * f)  # each expert alone, chance q
        else:
            slope = weight * q * loss_slope(loss, label, np.sum(q * pi * f))
        for i in range(count):
            by_w, by_a = expert_gradient(ffn[i], matrices[i], x, activation, slope[i] * pi[i])
            by_ffn[i] += by_w
            if by_a is not None:
                by_attention[i if len(attention) > 1 else 0] += by_a
        if len(gate):
            by_pi = slope * f + load_balance * count * fraction * weight
            by_h = pi * (by_pi - pi @ by_pi)
            by_gate += np.outer(by_h, x.sum(axis=0))
    return by_gate, by_ffn, by_attention


def descend(gate, ffn, attention, points, activation, loss, schedule, noise=None, **options):
    """Plain staged descent; returns the losses before every step and after the last.

    `schedule` is a list of (steps, ffn rate, normalized ffn?, attention rate, gate rate, scale);
    `noise`, one (P, M) for every step, means sampled; `options` are those of `gradients`.
    """
    losses, drawn = [], iter(noise if noise is not None else ())
    for steps, ffn_rate, normalized, attention_rate, gate_rate, scale in schedule:
        for _ in range(steps):
            losses.append(expected_loss(gate, ffn, attention, points, activation, loss))
            by_gate, by_ffn, by_attention = gradients(
                gate, ffn, attention, points, activation, loss, routing_scale=scale,
                noise=next(drawn, None), **options,
            )  # fmt: skip
            if normalized:
                norms = np.sqrt((by_ffn**2).sum(axis=(1, 2), keepdims=True))
                by_ffn = by_ffn / np.where(norms > 0, norms, 1.0)
            gate = gate - gate_rate * by_gate
            ffn = ffn - ffn_rate * by_ffn
            attention = attention - attention_rate * by_attention
    losses.append(expected_loss(gate, ffn, attention, points, activation, loss))
    return np.array(losses), (gate, ffn, attention)
