"""Synthetic hitting times: laws with seeds.

Values are right by construction; `FACTORS` stand for seeds.
"""

import numpy as np

from motsim.rates import CENSORED

FACTORS = np.array([1.0, 1.2, 0.9, 1.1, 1.05])
GRID = [(3, 4.0), (5, 4.0), (6, 5.0), (8, 8.0)]  # (seeds, decades)
WRONG = {"log": {"inverse", "power", "floor"}, "inverse": {"log", "floor"}}
WRONG |= {"power": {"log", "floor", "inverse"}, "floor": {"log", "inverse", "power"}}


def curves(law, seed, n=6, decades=5.0, p=1.0, scale=1.0, noise=0.25, top=0.1, per_decade=5):
    """Synthetic (epsilons, hits, budget): own a and b per seed, errors correlated along a curve."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0.0, decades * np.log(10.0), round(decades * per_decade) + 1)
    eps = np.exp(-x)
    hits = np.empty((n, x.size))
    for s in range(n):
        if law == "log":
            h = x
        elif law == "floor":
            gap = np.maximum(eps - eps[-4] * rng.uniform(1.0, 2.0), 0.0)
            h = np.where(gap > 0, -np.log(np.where(gap > 0, gap, 1.0)), 1e9)
        else:
            h = np.expm1(p * x) / p
        z = np.empty(x.size - 1)
        z[0] = rng.normal()
        for i in range(1, z.size):
            z[i] = 0.8 * z[i - 1] + 0.6 * rng.normal()
        a, b = 400.0 * np.exp(0.5 * rng.normal()), 40.0 * np.exp(0.3 * rng.normal())
        hits[s] = scale * (a + b * np.append(0.0, np.cumsum(np.diff(h) * np.exp(noise * z))))
    hits = np.ceil(hits) if scale >= 1 else hits
    if law != "floor":
        return top * eps, hits, None
    budget = scale * (2000.0 + 200.0 * x[-1])
    return top * eps, np.where(hits > budget, CENSORED, hits), budget


def censor(hits, share):
    """Stop every run at the step that leaves about `share` of the rows unreached."""
    budget = np.ceil(np.quantile(hits, 1.0 - share))
    return np.where(hits > budget, CENSORED, hits), budget


def law_of(name):
    """Return keyword arguments of `curves` for a named synthetic law."""
    return {
        "log": {"law": "log"},
        "inverse": {"law": "power", "p": 1.0},
        "power": {"law": "power", "p": 0.5},
        "floor": {"law": "floor"},
    }[name]


def grid(a, b, per_decade=4):
    """Eps from 10^-a to 10^-b."""
    return 10.0 ** -np.arange(a, b + 1e-9, 1.0 / per_decade)


def quadratic(curvatures, squares, steps, rate=1.0):
    """Excess loss of descent on a quadratic, (num_seeds, num_steps)."""
    decay = (1.0 - rate * curvatures) ** (2.0 * np.asarray(steps)[:, None])
    return 0.5 * squares @ (curvatures * decay).T


def wide_spectrum(condition, seed, num_seeds=5, num_steps=400):
    """Steps and losses of descent on quadratics with 40 log-uniform curvatures."""
    rng = np.random.default_rng(seed)
    curvatures = np.exp(rng.uniform(-np.log(condition), 0.0, 40))
    curvatures[:2] = 1.0 / condition, 1.0
    steps = np.unique(np.round(np.geomspace(1.0, 30.0 * condition, num_steps)))
    loss = quadratic(curvatures, rng.normal(size=(num_seeds, 40)) ** 2, steps)
    return steps, loss / loss[:, :1]


def floored_power(floor, p, budget):
    """Return hitting times of a power towards a floor, own factor and floor a seed."""
    eps = grid(0.5, 6)
    gap = eps - FACTORS[:, None] * floor
    times = np.full(gap.shape, np.inf)
    times[gap > 0] = (3.0 * FACTORS[:, None] * np.where(gap > 0, gap, 1.0) ** -p)[gap > 0]
    return eps, np.where(times > budget, CENSORED, times), budget


def log_then_power(turned, num_seeds, p=0.8, turn=1e-4):
    """Logarithmic runs, the first `turned` of which become a power at `turn`."""
    eps, size = grid(0.5, 6), 1.0 + 0.05 * np.arange(num_seeds)[:, None]
    x, start = np.log(1.0 / eps), np.log(1.0 / turn)
    times = 300.0 * size * x
    late = 300.0 * (start + np.expm1(p * np.maximum(x - start, 0.0)) / p)
    times[:turned] = np.where(x <= start, times[:turned], (size * late)[:turned])
    return eps, times
