"""Synthetic hitting times: laws with seeds, and shapes that other people's curves have.

Values are right by construction; `FACTORS` stand for seeds.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from motsim.rates import CENSORED, decide, rate
from motsim.rates.words import answer

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


# --- kinds: curves of one law each, with what people's logs do to them ----------------------------
# A kind is a function of a generator and an exponent p (0 for log) that returns a `Case`.

FINE = 40  # intervals a decade of the grid on which T(eps) is summed up
POWERS = (0.25, 0.5, 0.8, 1.0, 1.5, 2.0)
ANY = (-np.inf, np.inf)


@dataclass(frozen=True, eq=False)
class Case:
    """Curves with the verdicts that are true of them; *inconclusive* is never wrong.

    `exponents` must meet the interval of a claimed power; a claimed log law must lie under `below`.
    """

    allowed: frozenset[str]
    hits: tuple = ()  # arguments of `decide`
    frame: pd.DataFrame | None = None  # argument of `rate`
    watched: float | None = None
    exponents: tuple[float, float] = ANY
    below: float = np.inf

    def sentence_and_decision(self):
        """Decide, and say so."""
        if self.frame is not None:
            found = rate(self.frame)
            return found.sentence, found.decision
        d = decide(*self.hits, watched=self.watched)
        return answer(d), d

    def grade(self, d):
        """Return right, wrong or inconclusive."""
        if d.law == "inconclusive":
            return d.law
        low, high = d.exponent_interval
        power = d.law in ("power", "inverse")
        apart = power and (high < self.exponents[0] or low > self.exponents[1])
        above = d.law == "log" and d.eps_range[1] > 1.01 * self.below
        return "wrong" if d.law not in self.allowed or apart or above else "right"


def truth(p, share=0.2):
    """Return what may be said of T = a + b eps^-p: keyword arguments of `Case`."""
    if p == 0:
        return {"allowed": frozenset({"log"})}
    names = {"power"} | ({"inverse"} if 0.75 <= p <= 1.25 else set())
    band = max(share * p, 0.06)
    return {"allowed": frozenset(names), "exponents": (p - band, p + band)}


def wander(rng, shape, noise, correlation=0.8):
    """Errors of log dT/dx, correlated over fifths of a decade."""
    r = correlation ** (5.0 / FINE)
    z = rng.normal(size=shape)
    for i in range(1, shape[1]):
        z[:, i] = r * z[:, i - 1] + np.sqrt(1.0 - r * r) * z[:, i]
    return noise * z


def summed(rng, log_rate, decades, n=None, noise=0.1, spread=(0.5, 0.3), start=400.0):
    """Return x = log(top/eps) and the times T(x) of n runs with dT/dx = b exp(log_rate(x))."""
    n = n or int(rng.integers(3, 11))
    x = np.linspace(0.0, decades * np.log(10.0), round(decades * FINE) + 1)
    middle = 0.5 * (x[1:] + x[:-1])
    rates = log_rate(middle) + wander(rng, (n, middle.size), noise)
    a, b = (
        start * np.exp(spread[0] * rng.normal(size=n)),
        40 * np.exp(spread[1] * rng.normal(size=n)),
    )
    rise = np.cumsum(np.exp(rates) * np.diff(x), axis=1)
    return x, a[:, None] + b[:, None] * np.concatenate([np.zeros((n, 1)), rise], axis=1)


def read_off(rng, x, times, per_decade=None, whole=True):
    """Return eps and hitting times on a grid of eps from 0.1 on, whole steps where they fit."""
    per_decade = per_decade or rng.choice([3, 4, 5, 8])
    grid_x = np.linspace(0.0, x[-1], round(x[-1] / np.log(10.0) * per_decade) + 1)
    hits = np.stack([np.interp(grid_x, x, row) for row in times])
    return 0.1 * np.exp(-grid_x), np.ceil(hits) if whole and hits.max() < 2**53 else hits


def simple(rng, p, *, least=3.2, most=9.0, n=None, noise=0.2, spread=(0.5, 0.3), start=400.0):
    """Times of T = a + b eps^-p over `least` to `most` decades."""
    return summed(rng, lambda x: p * x, rng.uniform(least, most), n, noise, spread, start)


def as_hits(rng, p, noise=0.2, share=0.2, **options):
    """Return eps, hits and the truth of a plain law."""
    per_decade = options.pop("per_decade", None)
    eps, hits = read_off(rng, *simple(rng, p, noise=noise, **options), per_decade)
    return eps, hits, truth(p, share)


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


def logged(rng, p, least=3.4, start=4.0, num=1200):
    """Return steps and losses of raw curves that go on until every run is `least` decades down."""
    decades = least + rng.uniform(0.0, 4.0 if p <= 0.25 else 2.5 if p <= 1.0 else 1.0)
    x, times = summed(
        rng, lambda x: p * x, decades + (0.6 / p if p else 1.5 * decades), spread=(0.2, 0.15),
        start=start,
    )  # fmt: skip
    end = max(np.interp(decades * np.log(10.0), x, row) for row in times)
    steps = np.unique(np.round((np.geomspace if p else np.linspace)(1.0, end, num)))
    return steps, np.stack([np.exp(-np.interp(steps, row, x)) for row in times])


def as_table(steps, losses):
    """Return a wide table of losses."""
    return pd.DataFrame({f"run {k}": row for k, row in enumerate(losses)}, index=steps)


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


#: Kinds by name, and whether a power makes sense for them too (p is 0 where it does not).
KINDS = {
    "exact": (noisy(0.0), True), "noise 0.25": (noisy(0.25), True), "noise 0.5": (noisy(0.5), True),
    "noise 0.8": (noisy(0.8), True), "sgd 0.1": (sgd(0.1), True), "sgd 0.3": (sgd(0.3), True),
    "sgd 0.6": (sgd(0.6), True),
}  # fmt: skip
KINDS |= {
    kind.__name__.replace("_", " "): (kind, True)
    for kind in (
        few_seeds, own_exponents, one_stop, near_floor, far_floor, cut_short, copies,
        tenfold_factors, units, few_points, tiny_steps, coarse_looks, minority, raw, starts_late,
        thinned, bursts, noise_level, zeros, six_decimals, ends_in_nan, unlike_lengths, raw_units,
        ends_on_a_plateau, own_least,
    )
}  # fmt: skip
KINDS |= {
    kind.__name__.replace("_", " "): (kind, False)
    for kind in (drifting, log_before_power, power_then_log, two_terms, step_decay)
}
