"""Kinds of hitting times, with what people do to them.

A kind is a function of a generator and an exponent p (0 for log) that returns a `Case`.
"""

import numpy as np

from motsim.rates import CENSORED
from tests.rates.cases import Case, as_hits, read_off, simple, summed, truth


def noisy(noise):
    """Return the kind of plain laws with wander of a size."""

    def kind(rng, p):
        eps, hits, said = as_hits(rng, p, noise)
        return Case(hits=(eps, hits), **said)

    return kind


def few_seeds(rng, p):
    eps, hits, said = as_hits(rng, p, 0.25, n=int(rng.integers(3, 5)))
    return Case(hits=(eps, hits), **said)


def own_exponents(rng, p):
    n = int(rng.integers(3, 11))
    own = p + 0.06 * max(p, 0.3) * rng.normal(size=(n, 1))
    x, times = summed(rng, lambda x: own * x, rng.uniform(3.2, 9.0), n, 0.2)
    return Case(hits=read_off(rng, x, times), **truth(p))


def drifting(rng, p):
    """p(eps) = 1 - c / log(1/eps)."""
    c = rng.uniform(0.3, 3.0)
    x, times = summed(rng, lambda x: x - c * np.log(x + np.log(10.0)), rng.uniform(3.2, 9.0))
    band = (0.95 - c / np.log(10.0), 1.1)
    return Case(frozenset({"power", "inverse"}), read_off(rng, x, times), exponents=band)


def log_before_power(rng, p):
    p, turn = rng.choice([0.5, 0.8, 1.0, 1.5]), rng.uniform(1.0, 5.0) * np.log(10.0)
    decades = turn / np.log(10.0) + rng.uniform(1.2, 5.0)
    x, times = summed(rng, lambda x: p * np.maximum(x - turn, 0.0), decades)
    return Case(hits=read_off(rng, x, times), **truth(p, 0.3))


def power_then_log(rng, p):
    p, first = rng.choice([0.5, 0.8, 1.0, 1.5]), rng.uniform(1.0, 4.0)
    turn = first * np.log(10.0)
    x, times = summed(rng, lambda x: p * np.minimum(x, turn), first + rng.uniform(1.2, 5.0))
    below = 10.0**-first if p * first > 1.5 else np.inf  # a decade above the turn
    return Case(frozenset({"log"}), read_off(rng, x, times), below=below)


def two_terms(rng, p):
    """T = A log(1/eps) + B eps^-p."""
    p, decades = rng.choice([0.5, 0.8, 1.0, 1.5]), rng.uniform(4.0, 9.0)
    turn = rng.uniform(1.0, decades - 1.5) * np.log(10.0)
    x, times = summed(rng, lambda x: np.logaddexp(0.0, p * (x - turn)), decades)
    return Case(hits=read_off(rng, x, times), **truth(p, 0.3))


def one_stop(rng, p):
    """The loss stands still once, for 0.3 to 5 times the steps before."""
    x, times = simple(rng, p, least=4.0, most=8.0, noise=0.1)
    at = int(rng.uniform(0.25, 0.75) * x.size)
    times[:, at:] += rng.uniform(0.3, 5.0) * times[:, [at]]
    return Case(hits=read_off(rng, x, times), **truth(p, 0.3))


def towards_floor(rng, p, near):
    """The same law of eps minus a floor: just below the last eps that was reached, or far below."""
    decades = rng.uniform(3.4, 6.0)
    x, times = summed(rng, lambda x: p * x, decades + 4.0)
    eps = 0.1 * np.exp(-np.linspace(0.0, decades * np.log(10.0), round(decades * 5) + 1))
    share = rng.uniform(1.05, 2.5, len(times)) if near else 10.0 ** -rng.uniform(1.3, 3.0)
    gap = eps - np.broadcast_to(share * eps[-1], len(times))[:, None]
    position = np.where(gap > 0, np.log(0.1 / np.where(gap > 0, gap, 1.0)), np.inf)
    hits = np.stack(
        [np.interp(z, x, row, right=np.inf) for z, row in zip(position, times, strict=True)]
    )
    if not near:
        return Case(hits=(eps, np.ceil(hits)), **truth(p))
    budget = np.ceil(hits[np.isfinite(hits)].max() * rng.choice([2.0, 10.0, 100.0]))
    hits = np.where(hits > budget, CENSORED, np.ceil(hits))
    return Case(frozenset({"floor"}), (eps, hits, budget), watched=budget)


def near_floor(rng, p):
    return towards_floor(rng, p, True)


def far_floor(rng, p):
    return towards_floor(rng, p, False)


def cut_short(rng, p):
    """The budget ends before the last eps, and is told as it was."""
    eps, hits, said = as_hits(rng, p, least=4.0)
    end = np.ceil(np.quantile(hits, 0.85))
    return Case(hits=(eps, np.where(hits > end, CENSORED, hits), end), **said)


def copies(rng, p):
    eps, hits, said = as_hits(rng, p, least=3.4, most=7.0, n=int(rng.integers(1, 6)))
    hits = hits[rng.integers(0, len(hits), len(hits) + 5)]
    few = len(np.unique(hits, axis=0)) < 3
    return Case(hits=(eps, hits), **(said | ({"allowed": frozenset()} if few else {})))


def tenfold_factors(rng, p):
    eps, hits, said = as_hits(rng, p, spread=(1.2, 1.2))
    return Case(hits=(eps, hits), **said)


def units(rng, p):
    eps, hits = read_off(rng, *simple(rng, p), whole=False)
    on_eps, on_steps = 10.0 ** rng.uniform(-12.0, 12.0, 2)
    return Case(hits=(on_eps * eps, on_steps * hits), **truth(p))


def few_points(rng, p):
    eps, hits, said = as_hits(rng, p, most=6.0, per_decade=rng.choice([1.0, 1.5, 2.0]), share=0.25)
    return Case(hits=(eps, hits), **said)


def tiny_steps(rng, p):
    x, times = simple(rng, p, noise=0.1, spread=(0.3, 0.2), start=8.0)
    eps, hits = read_off(rng, x, times / 40.0 * rng.uniform(0.3, 2.0), whole=False)
    return Case(hits=(eps, np.ceil(hits)), **truth(p, 0.25))


def coarse_looks(rng, p):
    """The loss is looked at every 50 or 500 steps."""
    eps, hits, said = as_hits(rng, p, share=0.25)
    every = rng.choice([50.0, 500.0])
    return Case(hits=(eps, np.ceil(hits * rng.choice([1.0, 3.0, 10.0]) / every) * every), **said)


def minority(rng, p):
    """1 of 5 up to 3 of 10 runs turn from log into a power, or the other way round."""
    n, odd = [(4, 1), (5, 1), (6, 2), (8, 2), (10, 2), (10, 3)][rng.integers(6)]
    q, decades = p or rng.choice([0.5, 0.8, 1.0, 1.5]), rng.uniform(4.5, 8.0)
    turn = rng.uniform(0.0, 0.5 * decades if p else max(decades - 1.5 / q, 0.0)) * np.log(10.0)

    def log_rate(x):
        rows = np.tile(p * x, (n, 1))
        rows[:odd] = p * np.minimum(x, turn) if p else q * np.maximum(x - turn, 0.0)
        return rows

    x, times = summed(rng, log_rate, decades, n)
    return Case(frozenset(), read_off(rng, x, times[rng.permutation(n)]))
