"""A rate: the law of the hitting times of one method, with what it rests on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from motsim.rates.curves import Curve
from motsim.rates.decision import RateDecision, supports
from motsim.rates.laws import check_law
from motsim.rates.question import check_eps
from motsim.rates.runs import Passage, Run, passages
from motsim.rates.words import COLUMNS, answer, data_line, law_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from motsim.rates.local import LocalExponents

__all__ = ["Rate", "html", "plain"]

ALIASES = {"1/eps": "inverse"}


@dataclass(frozen=True, eq=False)
class Rate:
    """Law of the hitting times of one method, with what it rests on.

    Attributes
    ----------
    decision : RateDecision
    runs : tuple of Run
        As cleaned, floor subtracted.
    curves : tuple of Curve
        Of the runs that can be fitted, in the decided range or not.
    notes : tuple of str
        What was guessed, dropped, and what the data do to T(eps).
    name : str
        Name of the group; "" for one method.
    loss_column, step_column : str
    passage : {"first", "stay"}
    eps_range : (low, high) or None
        Range of eps that was looked at; None for all of it.
    level : float
        Confidence level of the intervals.
    """

    decision: RateDecision
    runs: tuple[Run, ...]
    curves: tuple[Curve, ...]
    notes: tuple[str, ...] = ()
    name: str = ""
    loss_column: str = "loss"
    step_column: str = "step"
    passage: Passage = "first"
    eps_range: tuple[float, float] | None = None
    level: float = 0.95

    @property
    def law(self) -> str:
        """``log``, ``inverse``, ``power``, ``floor`` or ``inconclusive``."""
        return self.decision.law

    @property
    def unit(self) -> str:
        """What T counts: steps, or the column's name where it counts something else."""
        name = self.step_column
        if "step" in name or "iter" in name:
            return "steps"
        if not name.replace(" ", "").isalpha() or name.endswith("s"):
            return name
        return name + ("es" if name.endswith(("tch", "rch")) else "s")

    @property
    def sentence(self) -> str:
        """The answer in one sentence."""
        return answer(self.decision, self.unit)

    @property
    def data(self) -> str:
        """How much data the answer rests on."""
        return data_line(self.decision, self.runs, self.step_column)

    @property
    def advice(self) -> str:
        """What would decide an inconclusive case; "" for a decided one."""
        return self.decision.advice

    @property
    def tried(self) -> int:
        """Ranges that were looked at for this answer; intervals are widened accordingly."""
        return self.decision.tried

    def supports(self, law: str) -> str:
        """Return ``holds``, ``fails`` or ``inconclusive`` for the claim that `law` is the law."""
        law = ALIASES.get(law, law)
        check_law(law)
        return supports(self.decision, law)

    def table(self) -> pd.DataFrame:
        """Return the laws that were fitted, one row each, best first.

        Columns law, formula, value (p, or steps per decade), low, high (interval), residual
        (root mean square, in decades of eps) and criterion (BIC, 0 for the best).
        """
        return pd.DataFrame(law_rows(self.decision), columns=list(COLUMNS))

    def regimes(self) -> pd.DataFrame:
        """Return the regimes of the whole range, one row each, large eps first."""
        return pd.DataFrame([asdict(regime) for regime in self.decision.regimes])

    def steps_to(self, epsilons: float | Sequence[float]) -> pd.DataFrame:
        """Return T(eps) of every run (rows) for some eps (columns); NaN where not reached.

        Raises
        ------
        ReadingError
            A ValueError: an eps is no positive number.
        """
        epsilons = [check_eps(eps) for eps in np.atleast_1d(np.asarray(epsilons, object))]
        rows = {}
        for run in self.runs:
            times, loss = passages(run, self.passage)
            found = [times[loss <= eps][:1] for eps in epsilons]
            rows[run.name] = [float(t[0]) if t.size else np.nan for t in found]
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(epsilons))

    def times(self) -> pd.DataFrame:
        """Return the hitting times, one row for each new least loss of each run.

        Columns run, eps, T and looked_at: whether eps lies in the range that was judged or, where
        nothing could be, in the range that was asked about.
        """
        low, high = self.decision.eps_range
        if not np.isfinite(low + high):
            low, high = self.eps_range or (0.0, np.inf)
        parts = []
        for run in self.runs:
            times, loss = passages(run, self.passage)
            inside = (loss >= low * (1.0 - 1e-12)) & (loss <= high * (1.0 + 1e-12))
            parts.append(
                pd.DataFrame({"run": run.name, "eps": loss, "T": times, "looked_at": inside})
            )
        return pd.concat(parts, ignore_index=True)

    def local(self, decades: float = 1.0) -> LocalExponents:
        """Return the local exponents p(eps) of every run, over ranges of so many decades."""
        from motsim.rates.local_picture import exponents_of

        return exponents_of(self, decades)

    def plot(self, path: str | Path | None = None, *, local: bool = False) -> Figure:
        """Draw T(eps) with fits and regimes, and loss against steps; save it if a path is given.

        `local`: draw the local exponents d log T / d log(1/eps) instead.
        """
        from motsim.rates.local_picture import draw_local
        from motsim.rates.picture import draw

        return draw_local([self], path) if local else draw(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Return everything that is printed as plain values, for JSON; None where not finite."""
        d = asdict(self.decision)
        found = {
            "name": self.name,
            "law": self.law,
            "sentence": self.sentence,
            "data": self.data,
            "level": self.level,
            "advice": self.advice,
            "notes": list(self.notes),
            "table": self.table().to_dict("records"),
            "decision": d,
        }
        return {key: plain(value) for key, value in found.items()}

    def __repr__(self) -> str:
        name = f"{self.name}: " if self.name else ""
        return f"Rate({name}{self.sentence})"

    def _repr_html_(self) -> str:
        from html import escape

        lines = [f"<p><strong>{escape(self.sentence)}</strong></p>", f"<p>{escape(self.data)}</p>"]
        lines.append(html(self.table()))
        lines += [f"<p>What would decide it: {escape(self.advice)}.</p>"] * bool(self.advice)
        return "\n".join(lines)


def plain(value: Any) -> Any:
    """Turn what JSON cannot hold into what it can: NaN and infinite ends into None."""
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    number = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(number, float) and not np.isfinite(number) else number


def html(table: pd.DataFrame) -> str:
    """Return a table as HTML, numbers to three digits."""
    return str(table.to_html(index=False, float_format=lambda x: f"{x:.3g}", border=0))
