"""The derivative of a gradient flow's field by its state, from the formulas of each point.

Derived here. Of one expert at one point, with tokens x_k: t_jk = w_j . x_k, scores
s_lk = x_k' A x_l, p_l their softmax over k, z_l = sum_k p_lk x_k, u_jl = w_j . z_l and
f = sum_jl phi(u_jl). With a = phi'(u), b = phi''(u), r_jlk = p_lk (t_jk - u_jl),
d_lk = sum_j a_jl r_jlk, D_l = sum_k d_lk x_k, v_jl = sum_k r_jlk x_k, and X with a row a token,

    df/dw_j = sum_l a_jl z_l                       df/dA = sum_l D_l x_l'
    d2f/dw_j dw_j = sum_l b_jl z_l z_l'
    d2f/dw_j dA = sum_l (b_jl z_l v_jl' + a_jl C_l) (x) x_l'
    d2f/dA dA = sum_l Q_l (x) x_l x_l'
    C_l = X' (diag p_l - p_l p_l') X
    Q_l = X' (sum_j b_jl r_jl r_jl' + diag d_l - d_l p_l' - p_l d_l') X.

The field's Jacobian is a sum over points of F' K F + sum_i c_i d2f_i: F the first derivatives of
outputs f_i and logits h_i, K the derivative by those of the coefficients (c, e) through which the
loss reaches them. The routing q is constant in the field, but not in K, which is not symmetric.
In NumPy: products of matrices are nearly all of it. It takes as long as a few fields where central
differences take two for each number of the state.
"""

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.engine.layout import without_images

__all__ = ["FieldJacobian"]

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]
AT_A_TIME = 4_000_000  # numbers of the largest array


def laid_open(batch: kernels.Batch) -> tuple[Floats, Floats, Floats]:
    """Tokens (P, L, r), labels and weights (P,) of the points of a batch that have weight."""
    batch = without_images(batch)
    (blocks, signals), r = batch.axes.shape, batch.tokens.shape[1]
    by_signal = np.zeros((blocks, kernels.WIDTH, signals, r))
    axes = np.broadcast_to(batch.axes[:, None, :, None], (*by_signal.shape[:3], 1))
    amplitudes = batch.amplitudes.transpose(0, 2, 1)[..., None]
    np.put_along_axis(by_signal, axes, amplitudes, axis=3)
    tokens = np.concatenate([by_signal, batch.tokens.transpose(0, 3, 2, 1)], axis=2)
    some = batch.point_weights > 0.0
    return (
        tokens.reshape(-1, *tokens.shape[2:])[some],
        batch.labels[some],
        batch.point_weights[some],
    )


def softmax(scores: Floats) -> Floats:
    """Over the last axis."""
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def slopes(output: Floats, label: Floats, logistic: bool) -> tuple[Floats, Floats]:
    """First and second derivative of the loss by an output."""
    if not logistic:
        return output - label, np.ones_like(output)
    margin = label * output
    e = np.exp(-np.abs(margin))
    return -label * np.where(margin > 0, e, 1.0) / (1.0 + e), e / (1.0 + e) ** 2


def attend(tokens: Floats, attention: Floats) -> Floats:
    """Attention weights (P, L, K), query before key."""
    return softmax(tokens @ (tokens @ attention).transpose(0, 2, 1))


class Expert:
    """One expert at some points: its output, and derivatives of it by its own coordinates."""

    def __init__(self, tokens: Floats, ffn: Floats, p: Floats | None, cubic: bool) -> None:
        self.tokens, self.p, self.cubic = tokens, p, cubic  # (P, L, r), (P, L, K)
        self.t = (tokens @ ffn.T).transpose(2, 0, 1)  # (J, P, L)
        self.u = self.t if p is None else (p @ self.t[..., None])[..., 0]
        self.f = (self.u**3 if cubic else self.u).sum(axis=(0, 2))

    def at(self, some: NDArray[np.bool_]) -> None:
        """Keep some of the points."""
        self.tokens, self.t, self.u = self.tokens[some], self.t[:, some], self.u[:, some]
        self.p = None if self.p is None else self.p[some]

    def derivatives(self, c: Floats, columns: tuple[Indices, Indices]) -> tuple[Floats, Floats]:
        """First ones (P, m), and the second ones (m, m) summed over points times c."""
        x, p, u = self.tokens, self.p, self.u
        r, (ffn, attention) = x.shape[2], columns
        a, b = (3.0 * u**2, 6.0 * u) if self.cubic else (np.ones_like(u), np.zeros_like(u))
        z = x if p is None else p @ x
        first = (a[:, :, None] @ z)[:, :, 0].transpose(1, 0, 2).reshape(len(x), -1)[:, ffn]
        second = np.zeros((len(ffn) + len(attention),) * 2)
        own = np.zeros((len(u) * r,) * 2)
        for j in range(len(u)) if self.cubic else ():
            at = slice(j * r, (j + 1) * r)
            own[at, at] = np.tensordot(z * (c[:, None] * b[j])[..., None], z, ((0, 1), (0, 1)))
        second[: len(ffn), : len(ffn)] = own[np.ix_(ffn, ffn)]
        if p is None or not len(attention):
            return first, second
        moved = p * (self.t[:, :, None] - u[..., None])  # (J, P, L, K)
        d = (a[..., None] * moved).sum(axis=0)
        by_attention = ((d @ x).transpose(0, 2, 1) @ x).reshape(len(x), -1)[:, attention]
        by_pair = (c[:, None, None, None] * x[..., None] * x[:, :, None]).reshape(-1, r * r)
        eye, both = np.eye(x.shape[1]), d[..., None] * p[:, :, None]
        inner = d[..., None] * eye - both - both.swapaxes(2, 3)
        if self.cubic:
            inner += np.einsum("jpl,jplk,jplm->plkm", b, moved, moved)
        outer = (self.between(inner).reshape(-1, r * r).T @ by_pair).reshape(r, r, r, r)
        square = outer.transpose(0, 2, 1, 3).reshape(r * r, r * r)
        second[len(ffn) :, len(ffn) :] = square[np.ix_(attention, attention)]
        if len(ffn):
            spread = self.between(p[..., None] * (eye - p[:, :, None]))  # (P, L, r, r)
            weighted = (c[:, None, None] * x).reshape(-1, r)
            crossed = np.zeros((len(u), r, r * r))
            for j in range(len(u)):
                mixed = a[j][..., None, None] * spread
                if self.cubic:
                    v = moved[j] @ x
                    mixed += (b[j][..., None] * z)[..., None] * v[:, :, None]
                crossed[j] = (mixed.reshape(-1, r * r).T @ weighted).reshape(r, r * r)
            cross = crossed.reshape(-1, r * r)[np.ix_(ffn, attention)]
            second[: len(ffn), len(ffn) :], second[len(ffn) :, : len(ffn)] = cross, cross.T
        return np.concatenate([first, by_attention], axis=1), second

    def between(self, inner: Floats) -> Floats:
        """X' M X for the matrices M (P, L, K, K) of each query."""
        x = self.tokens[:, None]
        return np.asarray(x.swapaxes(2, 3) @ (inner @ x))


class FieldJacobian:
    """Derivative (n, n) of the gradient by the state, both of what trains and in its order.

    Parameters
    ----------
    batch, rule
    columns : dict of name to indices
        Of the numbers of one expert's FFN, one attention matrix and one expert's gate, those that
        are states; none where a part is frozen.
    """

    def __init__(
        self, batch: kernels.Batch, rule: kernels.Rule, columns: dict[str, Indices]
    ) -> None:
        self.tokens, self.labels, self.point_weights = laid_open(batch)
        self.sums = self.tokens.sum(axis=1)
        self.rule, self.columns = rule, columns
        self.kept: list[Floats | None] | None = None  # attention weights, where they are frozen

    def __call__(self, value: kernels.Parameters) -> Floats:
        """At these parameters."""
        rule, columns = self.rule, self.columns
        experts, sets = len(value.ffn) // rule.neurons, len(value.attention)
        ffn, attention, gate = (len(columns[name]) for name in ("ffn", "attention", "gate"))
        ends = np.cumsum([experts * ffn, sets * attention, experts * gate])
        found = np.zeros((ends[-1], ends[-1]))
        self.states = [
            np.concatenate([
                np.arange(i * ffn, (i + 1) * ffn),
                ends[0] + np.arange(attention) + (i if sets > 1 else 0) * attention,
            ])
            for i in range(experts)
        ]  # fmt: skip
        self.gates = slice(ends[1], ends[2])
        if rule.gated:
            h = self.sums @ value.gate.T
            pi, q = softmax(h), softmax(h / rule.routing_scale)
            scale = self.load_balance(q, pi, found)
        _, length, r = self.tokens.shape
        largest = max(length * max(r, length) ** 2, experts * max(experts, length**2), len(found))
        at_a_time = max(1, AT_A_TIME // largest)
        for first in range(0, len(self.tokens), at_a_time):
            some = slice(first, first + at_a_time)
            group = self.experts(value, some)
            if rule.gated:
                self.add_routed(group, pi[some], q[some], scale, some, found)
            else:
                self.add_sum(group, some, found)
        return found

    def experts(self, value: kernels.Parameters, some: slice) -> list[Expert]:
        """Every expert at some points."""
        tokens, kept = self.tokens[some], self.kept
        if kept is None:
            kept = [attend(tokens, attention) for attention in value.attention]
        if not len(self.columns["attention"]) and len(tokens) == len(self.tokens):
            self.kept = kept  # frozen, and not too many
        ffn = value.ffn.reshape(-1, self.rule.neurons, value.ffn.shape[1])
        probs = kept if len(kept) == len(ffn) else (kept or [None]) * len(ffn)
        return [Expert(tokens, w, p, self.rule.cubic) for w, p in zip(ffn, probs, strict=True)]

    def add_sum(self, group: list[Expert], some: slice, found: Floats) -> None:
        """Of a model whose output is the sum of its heads'."""
        output = np.sum([expert.f for expert in group], axis=0)
        slope, curvature = slopes(output, self.labels[some], self.rule.logistic)
        c, own = self.point_weights[some] * slope, (self.columns["ffn"], self.columns["attention"])
        whole = np.zeros((len(output), len(found)))
        for expert, at in zip(group, self.states, strict=True):
            whole[:, at], second = expert.derivatives(c, own)
            found[np.ix_(at, at)] += second
        half = np.sqrt(self.point_weights[some] * curvature)[:, None] * whole  # losses are convex
        found += half.T @ half  # the same matrix twice: NumPy takes half of the products

    def add_routed(
        self, group: list[Expert], pi: Floats, q: Floats, scale: Floats, some: slice, found: Floats
    ) -> None:
        """Of sum_i q_i loss(pi_i f_i), by experts and gate."""
        rule, own = self.rule, (self.columns["ffn"], self.columns["attention"])
        f = np.stack([expert.f for expert in group], axis=1)
        slope, curvature = slopes(pi * f, self.labels[some, None], rule.logistic)
        mass, eye = self.point_weights[some, None], np.eye(len(group))
        c, by_pi = mass * q * slope * pi, mass * q * slope * f  # gradients by f, by pi
        both = mass * q * (slope + curvature * pi * f)  # of one by the other
        sums = self.sums[some][:, self.columns["gate"]]
        trains_gate = sums.shape[1] > 0

        def by_gates(coefficients: Floats, of: Floats) -> Floats:
            """Coefficients (P, M) of logits: those by the gate's coordinates (P, M * g)."""
            return (coefficients[:, :, None] * of[:, None]).reshape(len(of), -1)

        for i, (expert, at) in enumerate(zip(group, self.states, strict=True)):
            if not len(at):
                break
            # Where routing leaves no weight there is none in any coefficient of the expert.
            seen = q[:, i] >= rule.negligible
            if not seen.any():
                continue
            expert.at(seen)
            first, second = expert.derivatives(c[seen, i], own)
            curved = (mass * q * curvature * pi**2)[seen, i, None]
            found[np.ix_(at, at)] += second + first.T @ (curved * first)
            if not trains_gate:
                continue
            by_logit = (both * pi)[seen, i, None] * (eye[i] - pi[seen])
            found[self.gates, at] += by_gates(by_logit, sums[seen]).T @ first
            by_logit = by_logit + c[seen, i, None] / rule.routing_scale * (eye[i] - q[seen])
            found[at, self.gates] += first.T @ by_gates(by_logit, sums[seen])
        if not trains_gate:
            return
        whole = by_pi + mass * scale
        mean = (pi * whole).sum(axis=1, keepdims=True)
        e = pi * (whole - mean)
        change = (by_pi / rule.routing_scale)[:, :, None] * (eye - q[:, None])
        change += (mass * q * curvature * f**2 * pi)[:, :, None] * (eye - pi[:, None])
        k = pi[:, :, None] * (change - (pi[:, None] @ change) - e[:, None])
        k += e[:, :, None] * eye - e[:, :, None] * pi[:, None]
        width = sums.shape[1]
        for i in range(len(group)):
            rows = slice(self.gates.start + i * width, self.gates.start + (i + 1) * width)
            found[rows, self.gates] += sums.T @ by_gates(k[:, i], sums)

    def load_balance(self, q: Floats, pi: Floats, found: Floats) -> Floats:
        """Gradient by pi of the load balance, over a point's weight (M,); adds its derivative."""
        rule, experts = self.rule, q.shape[1]
        strength = rule.load_balance * experts / rule.top_k
        share = self.point_weights @ q
        if strength > 0.0 and len(self.columns["gate"]):
            sums, eye = self.sums[:, self.columns["gate"]], np.eye(experts)
            by_logit, of_gate = (
                np.einsum(
                    "p,pij,pa->ija", self.point_weights, a[:, :, None] * (eye - a[:, None]), sums
                )
                for a in (q, pi)
            )
            columns = by_logit.reshape(experts, -1) / rule.routing_scale  # of a share by the gate
            rows = of_gate.transpose(1, 2, 0).reshape(-1, experts)  # of the gradient by a share
            found[self.gates, self.gates] += strength * rows @ columns
        return np.asarray(strength * share)
