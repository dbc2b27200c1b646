"""The four models and both losses in plain JAX float64: the oracle for every gradient.

Written only to be obvious: whole-batch formulas, gradients by ``jax.grad``, nothing shared with
motsim. Symbols: p samples, i experts, j neurons, k and l tokens, d and e coordinates.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


def expert_outputs(kind, activation, ffn, attention, tokens):
    """f_i(X_p), shape (P, M)."""
    if kind == "moe":
        z = jnp.broadcast_to(tokens, (ffn.shape[0], *tokens.shape))  # z_il = x_l
    else:
        if kind == "shared":
            attention = jnp.broadcast_to(attention, (ffn.shape[0], *attention.shape[1:]))
        # scores[i, p, l, k] = x_k^T A_i x_l; the softmax is over the keys k of one query l.
        scores = jnp.einsum("pkd,ide,ple->iplk", tokens, attention, tokens)
        z = jnp.einsum("iplk,pkd->ipld", jax.nn.softmax(scores, axis=3), tokens)
    u = jnp.einsum("ijd,ipld->iplj", ffn, z)
    phi = {"linear": u, "cubic": u**3}[activation]
    return jnp.sum(phi, axis=(2, 3)).T


def pointwise_loss(loss, label, prediction):
    if loss == "squared":
        return 0.5 * (label - prediction) ** 2
    if loss == "logistic":
        return jnp.logaddexp(0.0, -label * prediction)
    raise ValueError(f"loss must be 'squared' or 'logistic', got {loss!r}")


def top_k_mask(scores, top_k):
    """1 for the ``top_k`` largest scores of each row, else 0; equal scores: lowest index first."""
    order = jnp.argsort(-scores, axis=1, stable=True)[:, :top_k]
    return jnp.sum(jax.nn.one_hot(order, scores.shape[1], dtype=scores.dtype), axis=1)


@partial(
    jax.jit,
    static_argnames=("kind", "activation", "loss", "routing", "top_k"),
    # Compiling is all the time this takes: one program per shape and option.
    compiler_options={
        "xla_backend_optimization_level": 0,
        "xla_llvm_disable_expensive_passes": True,
    },
)
def evaluate(
    parameters,
    tokens,
    labels,
    weights,
    routing_scale,
    routing_noise,
    load_balance,
    *,
    kind,
    activation,
    loss,
    routing,
    top_k,
):
    """Training loss, its gradients and the expected loss (jitted: one compilation per shape)."""

    def forward(ffn, attention, gate):
        f = expert_outputs(kind, activation, ffn, attention, tokens)
        h = jnp.sum(tokens, axis=1) @ gate.T
        return f, h

    def training_loss(ffn, attention, gate):
        f, h = forward(ffn, attention, gate)
        if kind == "single":
            return jnp.sum(weights * pointwise_loss(loss, labels, jnp.sum(f, axis=1)))
        pi = jax.nn.softmax(h, axis=1)
        if routing == "expected":
            q = jax.lax.stop_gradient(jax.nn.softmax(h / routing_scale, axis=1))
            per_sample = jnp.sum(q * pointwise_loss(loss, labels[:, None], pi * f), axis=1)
            fraction = weights @ q
        else:
            chosen = jax.lax.stop_gradient(top_k_mask(h + routing_noise, top_k))
            per_sample = pointwise_loss(loss, labels, jnp.sum(chosen * pi * f, axis=1))
            fraction = weights @ chosen / top_k
        balance = f.shape[1] * jnp.sum(jax.lax.stop_gradient(fraction) * (weights @ pi))
        return jnp.sum(weights * per_sample) + load_balance * balance

    def expected_loss(ffn, attention, gate):
        if kind == "single":
            return training_loss(ffn, attention, gate)
        f, h = forward(ffn, attention, gate)
        output = jnp.sum(top_k_mask(h, top_k) * jax.nn.softmax(h, axis=1) * f, axis=1)
        return jnp.sum(weights * pointwise_loss(loss, labels, output))

    value, gradients = jax.value_and_grad(training_loss, argnums=(0, 1, 2))(*parameters)
    return value, gradients, expected_loss(*parameters)


def loss_and_gradients(
    kind,
    ffn,
    attention,
    gate,
    tokens,
    labels,
    weights,
    *,
    activation,
    loss,
    routing,
    routing_scale=1.0,
    top_k=1,
    routing_noise=None,
    load_balance=0.0,
):
    """Training loss, noise-free expected loss, and the training loss's gradients.

    Parameters
    ----------
    kind : {'mot', 'single', 'moe', 'shared'}
    ffn : (M, J, d)
    attention : (M, d, d) for mot and single, (1, d, d) for shared, (0, d, d) for moe
    gate : (M, d), row i is Θ_i; (0, d) for single
    tokens : (P, L, d)
    labels : (P,) of ±1
    weights : (P,) summing to 1
    routing : 'expected' (top_k must be 1) or 'sampled'; ignored by single
    routing_scale : λ of q = softmax(h/λ), for 'expected'
    routing_noise : (P, M), added to the logits in 'sampled' training (None: no noise)
    load_balance : coefficient κ of the balance term

    Returns
    -------
    dict with 'training_loss', 'expected_loss' (floats) and 'ffn', 'attention', 'gate' (float64
    arrays shaped as the parameters).
    """
    if kind not in ("mot", "single", "moe", "shared"):
        raise ValueError(f"kind must be mot, single, moe or shared, got {kind!r}")
    if routing not in ("expected", "sampled"):
        raise ValueError(f"routing must be 'expected' or 'sampled', got {routing!r}")
    if routing == "expected" and top_k != 1:
        raise ValueError(f"expected routing is defined for top_k = 1, got {top_k!r}")

    ffn, attention, gate, tokens, labels, weights = (
        jnp.asarray(a, jnp.float64) for a in (ffn, attention, gate, tokens, labels, weights)
    )
    if routing_noise is None:
        routing_noise = np.zeros((tokens.shape[0], ffn.shape[0]))
    value, gradients, expected = evaluate(
        (ffn, attention, gate),
        tokens,
        labels,
        weights,
        float(routing_scale),
        jnp.asarray(routing_noise, jnp.float64),
        float(load_balance),
        kind=kind,
        activation=activation,
        loss=loss,
        routing=routing,
        top_k=top_k,
    )
    return {
        "training_loss": float(value),
        "expected_loss": float(expected),
        "ffn": np.asarray(gradients[0]),
        "attention": np.asarray(gradients[1]),
        "gate": np.asarray(gradients[2]),
    }
