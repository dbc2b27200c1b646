"""The three-stage training of ``mot`` as a good JAX user would write it: one jitted scan a stage.

Cubic activation, J neurons an expert, expected routing, squared loss, float64, full batch. An
opponent for the benchmark; the reference for correctness is ``tests/mixture/jax_oracle.py``.

``cached=False`` evaluates the attention inside the step, whatever the stage trains. XLA notices by
itself that a frozen attention does not change and moves it out of the loop (measured with jax
0.10.2), so its stages I and III are cheap too; ``hoisting=False`` forbids that, which shows what
computing the attention at every step really costs.
``cached=True`` computes what the frozen attention contributes once, before the scan.
``order`` says how w·z is contracted: 'literal' builds z and then w·z, as the formula is written;
'projected' takes w·x_k first and averages these scalars, the cheaper order of the same product.

Call ``use_one_thread()`` in a fresh process before any other use of JAX.
"""

import os
import time
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
COMPILED = {}  # programs of this process, by stage, options and shapes


def use_one_thread():
    """Keep this process on one core and XLA on one thread; before JAX's first computation.

    The flags are read, and XLA's thread pool sized by the affinity, when the backend starts.
    """
    flags = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}".strip()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


@dataclass(frozen=True)
class Stage:
    """``trains`` is 'ffn' or 'attention'; the gate always trains."""

    trains: str
    steps: int
    step_size: float
    gate_step_size: float
    routing_scale: float = 1.0
    normalized: bool = False


def three_stages(
    steps, step_sizes=(0.001, 0.1, 0.01), gate_step_size=10.0, routing_scales=(1.0, 1.0, 0.02)
):
    """Stages I (normalized GD on W), II (GD on A) and III (GD on W)."""
    (t1, t2, t3), (eta1, eta_a, eta3), (scale1, scale2, scale3) = steps, step_sizes, routing_scales
    return (
        Stage("ffn", t1, eta1, gate_step_size, scale1, normalized=True),
        Stage("attention", t2, eta_a, gate_step_size, scale2),
        Stage("ffn", t3, eta3, gate_step_size, scale3),
    )


def attention_weights(attention, tokens):
    """softmax_k(x_k^T A_i x_l), shape (M, P, L, L) with the query l before the key k."""
    transformed = jnp.einsum("ple,ide->plid", tokens, attention)
    scores = jnp.einsum("plid,pkd->iplk", transformed, tokens)
    return jax.nn.softmax(scores, axis=-1)


def attend(attention, tokens):
    """z, shape (M, P, L, d)."""
    return jnp.einsum("iplk,pkd->ipld", attention_weights(attention, tokens), tokens)


def project(ffn, z):
    """w_ij·z_il, shape (M, J, P, L); a leading axis of length 1 means that the experts share z."""
    if ffn.shape[1] == 1:  # XLA makes a program with an axis of length 1 a third slower
        return project_one(ffn[:, 0], z)[:, None]
    if z.shape[0] == 1:
        return jnp.einsum("pld,ijd->ijpl", z[0], ffn)
    return jnp.einsum("ipld,ijd->ijpl", z, ffn)


def project_one(ffn, z):
    if z.shape[0] == 1:
        return jnp.einsum("pld,id->ipl", z[0], ffn)
    return jnp.einsum("ipld,id->ipl", z, ffn)


def project_first(ffn, averages, tokens):
    return jnp.einsum("iplk,ijpk->ijpl", averages, jnp.einsum("pkd,ijd->ijpk", tokens, ffn))


def pre_activations(ffn, attention, tokens, order):
    if order == "literal":
        return project(ffn, attend(attention, tokens))
    return project_first(ffn, attention_weights(attention, tokens), tokens)


def frozen_attention(attention, tokens, order, identical):
    """What stays constant while A is frozen, as a function of W only."""
    if identical:  # one z for all experts
        z = attend(attention[:1], tokens)
    elif order == "literal":
        z = attend(attention, tokens)
    else:
        averages = attention_weights(attention, tokens)
        return lambda ffn: project_first(ffn, averages, tokens)
    return lambda ffn: project(ffn, z)


def losses(u, gate, token_sums, labels, weights, routing_scale):
    """Training loss over the exact routing noise, and the noise-free top-1 loss."""
    f = jnp.sum(u**3, axis=(1, 3))
    h = gate @ token_sums.T
    outputs = jax.nn.softmax(h, axis=0) * f
    q = jax.lax.stop_gradient(jax.nn.softmax(h / routing_scale, axis=0))
    training = jnp.sum(q * 0.5 * (labels - outputs) ** 2, axis=0) @ weights
    routed = jnp.take_along_axis(outputs, jnp.argmax(h, axis=0)[None], axis=0)[0]
    return training, 0.5 * (labels - routed) ** 2 @ weights


@partial(jax.jit, static_argnames=("stage", "cached", "identical", "order", "hoisting"))
def run_stage(
    tokens, labels, weights, ffn, attention, gate, *, stage, cached, identical, order, hoisting
):
    token_sums = jnp.sum(tokens, axis=1)
    trains_attention = stage.trains == "attention"
    start, frozen = (attention, ffn) if trains_attention else (ffn, attention)
    cache = None
    if cached and not trains_attention:
        cache = frozen_attention(attention, tokens, order, identical)

    def pre(trained, frozen):
        if trains_attention:
            return pre_activations(frozen, trained, tokens, order)
        if cache is not None:
            return cache(trained)
        return pre_activations(trained, frozen, tokens, order)

    def step(carry, _):
        trained, frozen, gate = carry
        if not hoisting:
            frozen = jax.lax.optimization_barrier(frozen)

        def objective(trained, gate):
            u = pre(trained, frozen)
            return losses(u, gate, token_sums, labels, weights, stage.routing_scale)

        (g, g_gate), expected_loss = jax.grad(objective, (0, 1), has_aux=True)(trained, gate)
        if stage.normalized:
            axes = tuple(range(1, g.ndim))
            g = g / jnp.sqrt(jnp.sum(g**2, axis=axes, keepdims=True))
        trained = trained - stage.step_size * g
        gate = gate - stage.gate_step_size * g_gate
        return (trained, frozen, gate), expected_loss

    (trained, _, gate), loss = jax.lax.scan(step, (start, frozen, gate), length=stage.steps)
    if trains_attention:
        return ffn, trained, gate, loss
    return trained, attention, gate, loss


def train(
    tokens, labels, weights, ffn, attention, stages, cached, order="projected", hoisting=True
):
    """Train from W = ffn, A = attention and Θ = 0 through ``stages``.

    ``tokens`` (P, L, d), ``labels`` and ``weights`` (P,), ``ffn`` (M, J, d), ``attention``
    (M, d, d). Returns a dict:
    'ffn' (M, J, d), 'attention' (M, d, d), 'gate' (M, d), row i the gate vector of expert i;
    'losses', for each stage the expected loss *before* each step; 'seconds' and
    'processor_seconds' for each stage, compilation excluded; 'compile_seconds', near 0 when the
    process has compiled the same stage before.
    """
    given = (tokens, labels, weights, ffn, attention)
    tokens, labels, weights, ffn, attention = (jnp.asarray(a, jnp.float64) for a in given)
    gate = jnp.zeros((ffn.shape[0], ffn.shape[2]))
    traces, seconds, processor_seconds, compile_seconds = [], [], [], []
    for stage in stages:
        data = (tokens, labels, weights, ffn, attention, gate)
        identical = bool(jnp.all(attention == attention[:1]))
        options = {"cached": cached, "identical": identical, "order": order, "hoisting": hoisting}
        begin = time.perf_counter()
        key = (stage, *options.items(), *(a.shape for a in data))
        if key not in COMPILED:
            COMPILED[key] = run_stage.lower(*data, stage=stage, **options).compile()
        compile_seconds.append(time.perf_counter() - begin)
        begin, begin_processor = time.perf_counter(), time.process_time()
        ffn, attention, gate, loss = jax.block_until_ready(COMPILED[key](*data))
        seconds.append(time.perf_counter() - begin)
        processor_seconds.append(time.process_time() - begin_processor)
        traces.append(np.asarray(loss))
    return {
        "ffn": np.asarray(ffn),
        "attention": np.asarray(attention),
        "gate": np.asarray(gate),
        "losses": traces,
        "seconds": seconds,
        "processor_seconds": processor_seconds,
        "compile_seconds": compile_seconds,
    }
