"""Which class a cubic expert takes when classes are not equally likely, and how fast it is learned.

Derived here. While outputs are small and the gate is uniform, an expert with ``a_n = <w, v_n>`` and
``b_n = <w, c_n>`` feels, up to a common factor,

    da_n ~ p_n (a_n^2 + delta b_n^2),   db_n ~ 2 delta p_n a_n b_n,   delta = 1/(e^kappa + 2):

its own signal in proportion to the class's probability, distractors not at all (free sign), and
through what the class token's query sees of the signal token at near-identity attention kappa I a
small push that is always positive. Without it a negative a_n rises to 0 and stays there; with it
a_n crosses 0, soonest for common classes. Normalized descent goes along this direction, eta_1 a
step. Whoever blows up first wins: p_n a_n(0) if all are positive.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.diagnostics import expert_classes

__all__ = ["hitting_steps", "race", "race_law"]

Floats = NDArray[np.float64]
DRAWS = 50_000  # standard error of a share: 0.002


def race(
    along: Floats, across: Floats, law: Floats, *, kappa: float, rate: float, steps: int
) -> NDArray[np.int64]:
    """Class each expert takes (E,), -1 for none.

    Parameters
    ----------
    along, across : (E, N) arrays
        <w, v_n> and <w, c_n> at the start.
    law : (N,) array
    kappa : float
        Attention starts at kappa I; infinite: without what leaks through it.
    rate, steps
        Of normalized descent.
    """
    a, b = along.copy(), across.copy()
    delta = 1.0 / (np.exp(kappa) + 2.0)
    for _ in range(steps):
        by_a, by_b = law * (a * a + delta * b * b), 2.0 * delta * law * a * b
        length = np.sqrt((by_a**2 + by_b**2).sum(axis=1, keepdims=True))
        a, b = a + rate * by_a / length, b + rate * by_b / length
    return expert_classes(np.abs(a))


@cache
def race_law(
    law: tuple[float, ...], *, init_std: float, kappa: float, rate: float, steps: int
) -> tuple[float, ...]:
    """Share of experts that take each class, by simulating the race of `DRAWS` random starts."""
    rng = np.random.default_rng(0)
    along, across = rng.normal(0.0, init_std, (2, DRAWS, len(law)))
    found = race(along, across, np.array(law), kappa=kappa, rate=rate, steps=steps)
    counts = np.bincount(found + 1, minlength=len(law) + 1)[1:]
    return tuple(float(count) / DRAWS for count in counts)


def hitting_steps(law: Floats, epsilons: Floats, *, start: float, rate: float) -> NDArray[np.int64]:
    """T(eps) (E,) of a last stage in which every class has an expert at a = `start`, gate open.

    ``a <- a + 3 eta p_n a^2 (1 - a^3)`` and ``L = sum_n p_n (1 - a_n^3)^2 / 2``; late, the rarest
    class is left, at ``ln 10 / (-2 ln(1 - 9 eta p_N))`` steps a decade.
    """
    a, step = np.full(len(law), start), 0
    found = []
    for target in sorted(epsilons, reverse=True):
        while 0.5 * float(law @ (1.0 - a**3) ** 2) > target:
            a = a + 3.0 * rate * law * a**2 * (1.0 - a**3)
            step += 1
        found.append(step)
    order = np.argsort(np.argsort(-np.asarray(epsilons)))
    return np.array(found)[order]
