"""A gradient flow as a good JAX user would follow it: Kvaerno5 of diffrax with a PID controller.

An opponent for the benchmark. It gets the field of motsim's last stage in motsim's own reduced
coordinates (d = 24 numbers a token would make its Jacobians larger), log(1 + t) for its time, and
attention weights that are frozen computed once. float64, jitted, compiled before it is timed.
Call ``jax_baseline.use_one_thread()`` in a fresh process before any other use of JAX.
"""

import time
from dataclasses import dataclass
from functools import partial

import diffrax
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)


@dataclass(frozen=True)
class Kind:
    """What the field is of: static, so that each is compiled once."""

    experts: int
    coordinates: int
    cubic: bool
    logistic: bool
    gated: bool
    routing_scale: float
    trains_attention: bool


def losses(kind, state, data):
    """Training loss over the exact routing noise, and the noise-free loss."""
    m, r, tokens = kind.experts, kind.coordinates, data["tokens"]
    ffn, rest = state[: m * r].reshape(m, r), state[m * r :]
    weights = data.get("attention")
    if kind.trains_attention:
        places = data["places"].astype(int)  # of its states: other numbers meet in no point
        attention = jnp.zeros(m * r * r).at[places].set(rest[: len(places)]).reshape(m, r, r)
        rest = rest[len(places) :]
        moved = jnp.einsum("pke,ied->ipkd", tokens, attention)
        weights = jax.nn.softmax(jnp.einsum("ipkd,pld->iplk", moved, tokens), axis=-1)
    u = jnp.einsum("iplk,ipk->ipl", weights, jnp.einsum("pkd,id->ipk", tokens, ffn))
    f = jnp.sum(u**3 if kind.cubic else u, axis=2)

    def loss(output):
        if kind.logistic:
            return jax.nn.softplus(-data["labels"] * output)
        return 0.5 * (data["labels"] - output) ** 2

    if not kind.gated:
        value = loss(jnp.sum(f, axis=0)) @ data["weights"]
        return value, value
    h = rest.reshape(m, r) @ data["sums"].T
    outputs = jax.nn.softmax(h, axis=0) * f
    q = jax.lax.stop_gradient(jax.nn.softmax(h / kind.routing_scale, axis=0))
    routed = jnp.take_along_axis(outputs, jnp.argmax(h, axis=0)[None], axis=0)[0]
    return jnp.sum(q * loss(outputs), axis=0) @ data["weights"], loss(routed) @ data["weights"]


def slope(tau, state, arguments, kind):
    """The velocity in tau = log(1 + t)."""
    data, rates = arguments
    gradient = jax.grad(lambda s: losses(kind, s, data)[0])(state)
    return -jnp.exp(tau) * rates * gradient


@partial(jax.jit, static_argnames=("kind", "max_steps"))
def segment(kind, state, data, rates, ends, first, tolerances, max_steps):
    """State and noise-free loss at ends[1], steps taken, and the last step's length."""
    solution = diffrax.diffeqsolve(
        diffrax.ODETerm(partial(slope, kind=kind)),
        diffrax.Kvaerno5(),
        t0=ends[0],
        t1=ends[1],
        dt0=first,
        y0=state,
        args=(data, rates),
        stepsize_controller=diffrax.PIDController(rtol=tolerances[0], atol=tolerances[1]),
        saveat=diffrax.SaveAt(t1=True),
        max_steps=max_steps,
        throw=False,
    )
    end = solution.ys[0]
    return end, losses(kind, end, data)[1], solution.stats["num_steps"], solution.result


def follow(kind, state, data, rates, ends, tolerances, *, target=0.0, limit=np.inf):
    """From t = 0 over the ends (tau) until the loss is at most `target` or `limit` seconds of
    the processor passed.

    Returns a dict of loss, tau, steps, seconds (wall, processor) and whether it got there.
    """
    data = {name: jnp.asarray(a, jnp.float64) for name, a in data.items()}
    rates, state = jnp.asarray(rates, jnp.float64), jnp.asarray(state, jnp.float64)
    run = partial(segment, kind, data=data, rates=rates, tolerances=jnp.asarray(tolerances))

    def step(state, left, right, max_steps):
        ends = jnp.array([left, right])
        found = run(state, ends=ends, first=jnp.minimum(1e-3, right - left), max_steps=max_steps)
        return jax.block_until_ready(found)

    step(state, 0.0, 1e-9, 10_000)  # compiles
    begin, processor = time.perf_counter(), time.process_time()
    left, steps, loss, done = 0.0, 0, np.nan, False
    for right in ends:
        state, loss, taken, result = step(state, left, float(right), 10_000)
        steps, left = steps + int(taken), float(right)
        failed = not bool(result == diffrax.RESULTS.successful)
        if failed or float(loss) <= target or time.process_time() - processor > limit:
            break
    done = not failed and (float(loss) <= target or left == ends[-1])
    seconds = np.array([time.perf_counter() - begin, time.process_time() - processor])
    return {"loss": float(loss), "tau": left, "steps": steps, "seconds": seconds, "done": done,
            "failed": failed}  # fmt: skip
