"""Rates of several groups, as of methods in one file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from motsim.rates.rate import Rate, html

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Rates"]


class Rates(Mapping[str, Rate]):
    """Rates of several groups, by name."""

    def __init__(self, rates: Mapping[str, Rate], notes: Sequence[str] = ()):
        self._rates, self.notes = dict(rates), tuple(notes)

    def __getitem__(self, name: str) -> Rate:
        return self._rates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rates)

    def __len__(self) -> int:
        return len(self._rates)

    def table(self) -> pd.DataFrame:
        """Return one row a group: law, exponent or steps per decade, interval, range, runs."""
        rows = []
        for name, found in self._rates.items():
            d = found.decision
            log = d.law == "log"
            value = d.steps_per_decade if log else d.exponent
            low, high = d.steps_per_decade_interval if log else d.exponent_interval
            rows.append({
                "group": name, "law": d.law, "measures": "steps per decade" if log else "p",
                "value": value, "low": low, "high": high, "decades": d.decades,
                "runs": d.num_curves, "diverged": d.num_diverged, "answer": found.sentence,
            })  # fmt: skip
        return pd.DataFrame(rows)

    @property
    def level(self) -> float:
        """Confidence level of the intervals."""
        return next(iter(self._rates.values())).level

    def steps_to(self, epsilons: float | Sequence[float]) -> pd.DataFrame:
        """Return T(eps) of every run (rows: group, run) for some eps (columns), as `Rate` does."""
        tables = {name: found.steps_to(epsilons) for name, found in self._rates.items()}
        return pd.concat(tables, names=["group", "run"])

    def plot(self, path: str | Path | None = None, *, local: bool = False) -> Figure:
        """Draw T(eps) of each group with its fits, a panel each; save it if a path is given.

        `local`: draw the local exponents of all groups in one panel instead.
        """
        from motsim.rates.local_picture import draw_local
        from motsim.rates.picture import draw_groups

        return (draw_local if local else draw_groups)(list(self._rates.values()), path)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {"notes": list(self.notes), "groups": [r.to_dict() for r in self._rates.values()]}

    def __repr__(self) -> str:
        laws = ", ".join(f"{name}: {found.law}" for name, found in self._rates.items())
        return f"Rates({laws})"

    def _repr_html_(self) -> str:
        return html(self.table())
