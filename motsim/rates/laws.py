"""The laws a hitting time may follow, as small objects: formula, design and parameter count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

SELECTABLE = ("log", "inverse", "power", "floor")
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Law:
    """A law ``T = a + b * h(eps; shape)``; parameters are counted per curve and once for all."""

    name: str
    formula: str
    per_curve: int
    shared: int = 0

    def term(self, epsilons: ArrayLike, shape: ArrayLike = 0.0) -> Array:
        """Return ``h(eps; shape)``, infinite where a floor makes eps unreachable.

        Parameters
        ----------
        epsilons : array of shape (num_eps,)
        shape : number or array that broadcasts against `epsilons`
            The exponent p of the power law or eps_inf of the floor law; other laws ignore it.

        Returns
        -------
        array with the broadcast shape of the arguments
        """
        eps = np.asarray(epsilons, dtype=np.float64)
        if self.name == "inverse":
            return 1.0 / eps
        if self.name == "power":
            return eps ** -np.asarray(shape)
        gap = eps - np.asarray(shape if self.name == "floor" else 0.0)
        return -np.log(gap, out=np.full_like(gap, -np.inf), where=gap > 0.0)

    def design(self, epsilons: ArrayLike, shape: float = 0.0) -> Array:
        """Return the design ``[1, h]`` of shape (num_eps, 2); `shape` as for `term`."""
        h = self.term(epsilons, shape)
        return np.stack([np.ones_like(h), h], axis=-1)

    def num_parameters(self, num_curves: int) -> int:
        """Return the number of parameters of all curves, one noise level a curve included."""
        return (self.per_curve + 1) * num_curves + self.shared


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law("log", "T = a + b log(1/eps)", 2),
        Law("inverse", "T = a + b / eps", 2),
        Law("power", "T = a + b eps^-p", 2, 1),
        Law("floor", "T = a + b log(1/(eps - eps_inf))", 3),
        Law("power floor", "T = a + b (eps - eps_inf)^-p", 3, 1),
        # Rivals only, never selected: a log law whose rate changes once, a sum of k exponentials.
        Law("kink", "T = a + b log(1/eps), with one change of b", 4),
        *(Law(f"{k} exponentials", f"eps = sum of {k} w exp(-k T)", 2 * k) for k in (2, 3, 4, 5)),
    )
}


def check_law(name: str) -> None:
    """Refuse a name that is no selectable law."""
    if name not in SELECTABLE:
        raise ValueError(f"law must be log, inverse, power or floor, got {name!r}")


# A power and a log law differ by how steps per decade grow over the range of eps (derived here).
def log_limit(decades: float) -> float:
    """Return the largest p still called log: steps per decade grow less than threefold."""
    return min(0.15, float(np.log10(3.0)) / decades)


def power_limit(decades: float) -> float:
    """Return the smallest p called a power: steps per decade grow over tenfold, or p > 0.2."""
    return max(0.2, 1.0 / decades)
