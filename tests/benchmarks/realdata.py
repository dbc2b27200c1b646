"""Benchmark of routed mini-batches against JAX; run from the repository's root.

    python tests/benchmarks/realdata.py [--rounds 5] [--float32]

One process on one core: one epoch of a mixture of M = 16 transformers on the 5,000 MNIST images as
49 patches of d = 32 dimensions, ten outputs, batches of 64, Adam on all parameters, sampled top-1
routing; by motsim and by two jitted JAX programs, in turns, on the same batches, noise and start.
*Dense* runs every expert on every sample; *gathered* takes each sample's own expert out of the
stack, so it does the same work as motsim. Losses of all steps are compared. Peak memory is that of
a fresh process that trains by motsim alone. Exit code 1 if losses differ or a requirement is
missed.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from motsim.minibatch import Network, Update, gradients
from motsim.minibatch.network import start_parameters
from motsim.minibatch.updates import Updater
from motsim.mixture.model import Model, ModelParameters, Routing
from motsim.realdata import load_packaged
from motsim.realdata.tasks import make_tasks
from motsim.realdata.tokens import image_tokens

ROOT = Path(__file__).resolve().parents[2]
EXPERTS, OUTPUTS, DIM, PATCH, BATCH, RATE = 16, 10, 32, 4, 64, 0.003
REQUIRED_RATIO = {"dense": 3.0}  # of a program's time to motsim's
REQUIRED_MEGABYTES = 1000.0
TOLERANCE = {"float64": 1e-8, "float32": 1e-2}  # relative, of any step's loss


def problem():
    """Network, samples, start, and the batches and routing noise of one epoch."""
    images = load_packaged("mnist")
    rows = np.arange(len(images.labels))
    tokens = image_tokens(images, rows, patch=PATCH, dim=DIM)
    samples = make_tasks(tokens, images.labels, scheme="classes", num_tasks=10, amplitude=0.0)
    network = Network(Model("mot", EXPERTS, "cubic", 1), OUTPUTS)
    start = start_parameters(network, DIM, init_std=0.2, attention_scale=1.0, seed=0)
    draw = np.random.default_rng(0)
    order = draw.permutation(len(samples))
    batches = [order[k : k + BATCH] for k in range(0, len(order) - BATCH + 1, BATCH)]
    noise = draw.gumbel(0.0, 0.3, (len(batches), BATCH, EXPERTS))
    return network, samples, start, batches, noise


def motsim_epoch(network, samples, start, batches, noise):
    """Loss of every step."""
    names = ("ffn", "attention", "gate")
    value = ModelParameters(*(getattr(start, name).copy() for name in names))
    movers = [Updater(Update(RATE, "adam"), getattr(value, name)) for name in names]
    routing, losses = Routing("sampled", "gumbel", 0.3), []
    for chosen, drawn in zip(batches, noise, strict=True):
        loss, slope = gradients(
            network, value, samples, chosen,
            loss="cross_entropy", routing=routing, noise=drawn,
        )  # fmt: skip
        losses.append(loss)
        for mover, name in zip(movers, names, strict=True):
            mover.step(getattr(slope, name))
    return np.array(losses)


def attend(x, a):
    """X softmax(X^T A X) of one sequence, one row a query."""
    return jax.nn.softmax((x @ a.T) @ x.T) @ x


def dense_outputs(parameters, x, routed):
    """Every expert on every sample, (B, C) of the routed one."""
    ffn, attention, _ = parameters
    z = jax.vmap(jax.vmap(attend, (None, 0)), (0, None))(x, attention)  # (B, M, L, d)
    u = jnp.einsum("bmld,mkd->bmlk", z, ffn)
    return jnp.take_along_axis((u**3).sum(axis=2), routed[:, None, None], axis=1)[:, 0]


def gathered_outputs(parameters, x, routed):
    """Each sample by its own expert, neurons before the average over tokens (as motsim does)."""
    ffn, attention, _ = parameters
    a, w = attention[routed], ffn[routed]
    weights = jax.nn.softmax((x @ a.transpose(0, 2, 1)) @ x.transpose(0, 2, 1))
    u = weights @ (x @ w.transpose(0, 2, 1))
    return (u**3).sum(axis=1)


def jax_epoch(outputs_of):
    """Return an epoch as one compiled loop over steps: (start, x, y, batches, noise) -> losses."""
    rule = optax.adam(RATE)

    def loss_of(parameters, x, y, drawn):
        logits = x.sum(axis=1) @ parameters[2].T
        routed = (logits + drawn).argmax(axis=1)
        value = jnp.take_along_axis(jax.nn.softmax(logits), routed[:, None], axis=1)
        scores = value * outputs_of(parameters, x, routed)
        return -jnp.take_along_axis(jax.nn.log_softmax(scores), y[:, None], axis=1).mean()

    @jax.jit
    def epoch(start, tokens, targets, batches, noise):
        def step(carry, given):
            parameters, state = carry
            chosen, drawn = given
            loss, slope = jax.value_and_grad(loss_of)(
                parameters, tokens[chosen], targets[chosen], drawn
            )
            moves, state = rule.update(slope, state)
            return (optax.apply_updates(parameters, moves), state), loss

        return jax.lax.scan(step, (start, rule.init(start)), (batches, noise))[1]

    return epoch


def peak_megabytes():
    """Peak memory of a fresh process that trains one epoch by motsim; imports included."""
    code = (
        "import sys; sys.path.insert(0, 'tests/benchmarks'); import realdata as b;"
        "b.motsim_epoch(*b.problem());"
        "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmHWM')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return float(done.stdout) / 1024


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--float32", action="store_true", help="JAX in single precision")
    settings = options.parse_args()
    if hasattr(os, "sched_setaffinity"):  # before JAX starts its threads
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    kind = "float32" if settings.float32 else "float64"
    jax.config.update("jax_enable_x64", kind == "float64")
    given = problem()
    _, samples, start, batches, noise = given
    data = (
        tuple(jnp.asarray(a, kind) for a in (start.ffn, start.attention, start.gate)),
        jnp.asarray(samples.tokens, kind), jnp.asarray(samples.targets),
        jnp.asarray(np.stack(batches)), jnp.asarray(noise, kind),
    )  # fmt: skip
    programs = {"motsim": lambda: motsim_epoch(*given)}
    for name, outputs_of in (("dense", dense_outputs), ("gathered", gathered_outputs)):
        epoch = jax_epoch(outputs_of)
        programs[name] = lambda epoch=epoch: np.asarray(epoch(*data))
    good = True
    with threadpool_limits(1):
        losses = {name: program() for name, program in programs.items()}  # compiles, too
        seconds = {name: [] for name in programs}
        for _ in range(settings.rounds):
            for name, program in programs.items():
                wall, processor = time.perf_counter(), time.process_time()
                program()
                seconds[name].append((time.perf_counter() - wall, time.process_time() - processor))
    print(
        f"one epoch of {len(batches)} steps, M = {EXPERTS}, L = {samples.tokens.shape[1]},"
        f" d = {DIM}, {OUTPUTS} outputs; JAX {jax.__version__} in {kind}, motsim in float64;"
        f" one core, {settings.rounds} rounds in turns"
    )
    mine = np.array(seconds["motsim"])
    for name, found in seconds.items():
        taken = np.array(found)
        ratio = taken / mine
        apart = np.max(np.abs(losses[name] / losses["motsim"] - 1))
        agree = apart <= TOLERANCE[kind]
        wanted = REQUIRED_RATIO.get(name, 0.0)
        good = good and agree and np.median(ratio[:, 1]) >= wanted
        print(
            f"  {name:9s} {np.median(taken[:, 0]):7.3f} s wall, {np.median(taken[:, 1]):7.3f} s"
            f" processor; ratio {np.median(ratio[:, 0]):5.2f} wall, {np.median(ratio[:, 1]):5.2f}"
            f" processor ({ratio[:, 1].min():.1f}–{ratio[:, 1].max():.1f})"
            f"; losses {'agree' if agree else 'DIFFER'} to {apart:.0e}"
            + (f"; required {wanted:g}" if wanted else "")
        )
    peak = peak_megabytes()
    good = good and peak <= REQUIRED_MEGABYTES
    print(f"  peak memory of motsim's process {peak:.0f} MB (JAX imported); required 1000")
    return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())
