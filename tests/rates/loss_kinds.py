"""Kinds of logged losses, with what people's logs do to them.

A kind is a function of a generator and an exponent p (0 for log) that returns a `Case`.
"""

import numpy as np
import pandas as pd

from tests.rates.cases import Case, as_table, logged, truth


def raw(rng, p):
    return Case(frame=as_table(*logged(rng, p)), **truth(p))


def starts_late(rng, p):
    """The first loss stands still for up to half of a log law's time."""
    start = 400.0 * rng.choice([0.05, 0.3, 1.0])
    return Case(frame=as_table(*logged(rng, p, least=4.5, start=start)), **truth(p))


def thinned(rng, p):
    steps, losses = logged(rng, p)
    every = int(rng.choice([5, 15, 50]))
    return Case(frame=as_table(steps[::every], losses[:, ::every]), **truth(p, 0.25))


def sgd(noise):
    """Return the kind of raw losses with multiplicative noise, curves that go up and down."""

    def kind(rng, p):
        steps, losses = logged(rng, p)
        shake = np.exp(noise * rng.normal(size=losses.shape))
        return Case(frame=as_table(steps, losses * shake), **truth(p, 0.3))

    return kind


def bursts(rng, p):
    steps, losses = logged(rng, p)
    up = np.where(rng.random(losses.shape) < 0.02, 10.0 ** rng.uniform(0.5, 3.0, losses.shape), 1.0)
    return Case(frame=as_table(steps, losses * up), **truth(p))


def noise_level(rng, p):
    """A level at which the losses stop, with a tenth of noise."""
    steps, losses = logged(rng, p, least=5.0)
    level = 10.0 ** -rng.uniform(3.2, 4.0) * np.exp(0.1 * rng.normal(size=losses.shape))
    return Case(frozenset({"floor"}), frame=as_table(steps, losses + level))


def zeros(rng, p):
    """Some or all runs are exactly 0 from a precision on."""
    steps, losses = logged(rng, p)
    least = losses.min() * 10.0 ** rng.uniform(0.0, 1.0)
    some = losses[: rng.integers(1, len(losses) + 1)]
    some[some < least] = 0.0
    return Case(frame=as_table(steps, losses), **truth(p))


def six_decimals(rng, p):
    steps, losses = logged(rng, p, least=5.0)
    return Case(frame=as_table(steps, np.round(losses, 6)), **truth(p, 0.25))


def ends_in_nan(rng, p):
    steps, losses = logged(rng, p)
    n, odd = len(losses), int(rng.integers(1, len(losses) + 1))
    losses[:odd, rng.integers(steps.size // 4, steps.size - 5) :] = rng.choice([np.nan, np.inf])
    said = truth(p) if odd <= 0.25 * n and n - odd >= 3 else {"allowed": frozenset()}
    return Case(frame=as_table(steps, losses), **said)


def unlike_lengths(rng, p):
    steps, losses = logged(rng, p, least=4.0)
    ends = np.searchsorted(steps, rng.uniform(0.4, 1.0, len(losses)) * steps[-1])
    parts = [
        pd.DataFrame({"run": f"r{k}", "step": steps[:end], "loss": row[:end]})
        for k, (row, end) in enumerate(zip(losses, ends, strict=True))
    ]
    return Case(frame=pd.concat(parts, ignore_index=True), **truth(p))


def raw_units(rng, p):
    steps, losses = logged(rng, p)
    on_steps, on_loss = 10.0 ** rng.uniform(-12.0, 12.0, 2)
    return Case(frame=as_table(on_steps * steps, on_loss * losses), **truth(p))


def step_decay(rng, p):
    """Equal stages, each a geometric descent to a level that falls with the step size."""
    n, factor, length = (
        int(rng.integers(3, 9)),
        rng.choice([5.0, 10.0]),
        int(rng.choice([200, 1000])),
    )
    stages = int(rng.integers(4, 7)) if factor == 10.0 else int(rng.integers(6, 9))
    slope, steps = rng.uniform(0.01, 0.1) * np.exp(0.1 * rng.normal(size=(n, 1))), np.arange(length)
    now, parts = np.ones((n, 1)), []
    for stage in range(stages):
        level = 0.1 * factor**-stage * np.exp(0.1 * rng.normal(size=(n, 1)))
        parts.append(level + np.maximum(now - level, 0.0) * np.exp(-slope * steps))
        now = parts[-1][:, -1:]
    losses = np.concatenate(parts, axis=1)
    table = as_table(np.arange(1, losses.shape[1] + 1), losses)
    return Case(frozenset({"log", "floor"}), frame=table)


def ends_on_a_plateau(rng, p):
    steps, losses = logged(rng, p, least=3.8)
    more = np.unique(np.round(np.linspace(1.01, rng.choice([2.0, 5.0, 20.0]), 300) * steps[-1]))
    flat = losses[:, -1:] * (1.0 - 1e-4 * np.arange(more.size) / more.size)
    table = as_table(np.append(steps, more), np.concatenate([losses, flat], axis=1))
    allowed = {"floor"} | (truth(p)["allowed"] if p else set())  # a power was hardly to fall more
    return Case(frozenset(allowed), frame=table)


def own_least(rng, p):
    steps, losses = logged(rng, p, least=1.5)
    return Case(frozenset(), frame=as_table(steps, losses - losses.min(axis=1, keepdims=True)))
