"""The rate of training runs: from what they logged to the law that T(eps) follows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from motsim.rates.curves import Curve
from motsim.rates.decision import MIN_DECADES, RateDecision, decide_sample, supports
from motsim.rates.floors import fit_floored_powers
from motsim.rates.judgement import MIN_CURVES
from motsim.rates.laws import check_law
from motsim.rates.reading import Curves, ReadingError, read
from motsim.rates.runs import (
    Passage,
    Run,
    clean_run,
    curve_of,
    lattice,
    own_floor,
    passages,
    remarks,
    sample_of_runs,
)
from motsim.rates.words import answer, data_line, law_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Rate", "Rates", "rate"]

IOH_LEAST = 1e-9
MAX_RUNS = 500  # more add nothing to an interval but time
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
    """

    decision: RateDecision
    runs: tuple[Run, ...]
    curves: tuple[Curve, ...]
    notes: tuple[str, ...] = ()
    name: str = ""
    loss_column: str = "loss"
    step_column: str = "step"
    passage: Passage = "first"

    @property
    def law(self) -> str:
        """``log``, ``inverse``, ``power``, ``floor`` or ``inconclusive``."""
        return self.decision.law

    @property
    def unit(self) -> str:
        """What T counts: steps, or the column's name where it counts something else."""
        return (
            "steps"
            if "step" in self.step_column or "iter" in self.step_column
            else self.step_column
        )

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

        Columns law, formula, value (p, or steps per decade), low, high (95 % interval), residual
        (root mean square, in decades of eps) and criterion (BIC, 0 for the best).
        """
        return pd.DataFrame(law_rows(self.decision))

    def regimes(self) -> pd.DataFrame:
        """Return the regimes of the whole range, one row each, large eps first."""
        return pd.DataFrame([asdict(regime) for regime in self.decision.regimes])

    def steps_to(self, epsilons: float | Sequence[float]) -> pd.DataFrame:
        """Return T(eps) of every run (rows) for some eps (columns); NaN where not reached."""
        epsilons = [float(eps) for eps in np.atleast_1d(epsilons)]
        rows = {}
        for run in self.runs:
            times, loss = passages(run, self.passage)
            found = [times[loss <= eps][:1] for eps in epsilons]
            rows[run.name] = [float(t[0]) if t.size else np.nan for t in found]
        return pd.DataFrame.from_dict(rows, orient="index", columns=list(epsilons))

    def plot(self, path: str | Path | None = None) -> Figure:
        """Draw T(eps) with fits and regimes, and loss against steps; save it if a path is given."""
        from motsim.rates.picture import draw

        return draw(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Return everything that is printed as plain values, for JSON; None where not finite."""
        d = asdict(self.decision)
        found = {
            "name": self.name,
            "law": self.law,
            "sentence": self.sentence,
            "data": self.data,
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
        lines.append(_html(self.table()))
        lines += [f"<p>What would decide it: {escape(self.advice)}</p>"] * bool(self.advice)
        return "\n".join(lines)


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

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values, for JSON."""
        return {"notes": list(self.notes), "groups": [r.to_dict() for r in self._rates.values()]}

    def __repr__(self) -> str:
        laws = ", ".join(f"{name}: {found.law}" for name, found in self._rates.items())
        return f"Rates({laws})"

    def _repr_html_(self) -> str:
        return _html(self.table())


def plain(value: Any) -> Any:
    """Turn what JSON cannot hold into what it can: NaN and infinite ends into None."""
    if isinstance(value, Mapping):
        return {str(key): plain(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    number = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(number, float) and not np.isfinite(number) else number


def _html(table: pd.DataFrame) -> str:
    return str(table.to_html(index=False, float_format=lambda x: f"{x:.3g}", border=0))


def rate(
    data: Any,
    *,
    loss: str | None = None,
    step: str | None = None,
    run: Sequence[str] | str = (),
    where: Mapping[str, Any] | Sequence[str] | None = None,
    by: Sequence[str] | str = (),
    optimum: float | None = None,
    floor: float | str = 0.0,
    eps_range: tuple[float, float] | None = None,
    passage: Passage = "first",
    level: float = 0.95,
) -> Rate | Rates:
    """Decide which law the steps to accuracy of training runs follow.

    Parameters
    ----------
    data : path, list of paths, DataFrame, or array of shape (num_steps, num_runs)
        What the runs logged, long or wide; formats are those of `motsim.rates.reading`.
    loss, step : str, optional
        Names of columns; guessed from what is there, and the guess is in `Rate.notes`.
    run : str or sequence of str
        Columns that name a run.
    where : mapping or sequence of "column=value", optional
        Rows to use.
    by : str or sequence of str
        Columns whose values name groups: one rate each.
    optimum : float, optional
        Best value of a quantity that rises: eps = optimum - value.
    floor : float or "estimate"
        Subtracted from the loss: its infimum, known from elsewhere. ``estimate`` takes it from
        the runs themselves, one each, and looks no closer than three times the last gap to it.
    eps_range : (low, high), optional
        Range of eps the question is about; stated in advance, not searched for.
    passage : {"first", "stay"}
        First step with loss <= eps, or the first from which the loss stays there.
    level : float
        Confidence level.

    Returns
    -------
    Rate, or Rates (a mapping by group) where there is more than one group

    Raises
    ------
    ReadingError
        A ValueError: in one line what cannot be read or is not meant, and the nearest choice.

    Examples
    --------
    >>> steps = np.arange(1, 2001)
    >>> wide = pd.DataFrame({k: 3.0 * np.exp(-steps / (90 + k)) for k in range(5)}, index=steps)
    >>> rate(wide, eps_range=(1e-8, 1.0)).law
    'log'
    """
    if passage not in ("first", "stay"):
        raise ReadingError(f"passage must be first or stay; got {passage!r}")
    if eps_range is not None and not 0.0 < eps_range[0] < eps_range[1]:
        raise ReadingError(f"range must satisfy 0 < LOW < HIGH; got {eps_range[0]} {eps_range[1]}")
    if isinstance(floor, str) and floor != "estimate":
        raise ReadingError(f"floor must be a number or estimate; got {floor!r}")
    if not isinstance(floor, str) and not np.isfinite(floor):
        raise ReadingError(f"floor must be finite; got {floor}")
    if not 0.5 <= level < 1.0:
        raise ReadingError(f"level must be in [0.5, 1); got {level}")
    curves = read(data, loss=loss, step=step, run=run, where=where, by=by, optimum=optimum)
    options: dict[str, Any] = {"floor": floor, "eps_range": eps_range, "passage": passage}
    found = {
        name: _rate_of(name, part, curves, level=level, **options)
        for name, part in _groups(curves.frame).items()
    }
    if len(found) == 1:
        return next(iter(found.values()))
    return Rates(found, curves.notes)


def _groups(frame: pd.DataFrame) -> dict[str, pd.DataFrame]:
    parts = {str(name): part for name, part in frame.groupby("group", sort=False, observed=True)}
    return parts or {"": frame}


def _rate_of(
    name: str,
    frame: pd.DataFrame,
    curves: Curves,
    *,
    level: float,
    floor: float | str,
    eps_range: tuple[float, float] | None,
    passage: Passage,
) -> Rate:
    runs, skipped = _runs(frame, curves.loss_column)
    notes = [*curves.notes, *skipped]
    asked = eps_range
    if isinstance(floor, str):
        runs, eps_range, note = _estimated(runs, eps_range)
        notes.append(note)
    elif floor:
        runs = [r.minus(floor) for r in runs]
        notes.append(f"floor {floor:g} subtracted from every loss")
    _check_values(runs, curves.loss_column, floor, asked)
    if curves.kind == "ioh":  # ten decimals: what is smaller reads back as 0
        low, high = eps_range or (0.0, np.inf)
        eps_range = (max(low, IOH_LEAST), high)
        notes.append(f"values have ten decimals: no eps below {IOH_LEAST:g} is looked at")
    judged = runs
    if len(runs) > MAX_RUNS:
        judged = [runs[i] for i in np.linspace(0, len(runs) - 1, MAX_RUNS).astype(int)]
        notes.append(f"{MAX_RUNS} of {len(runs):,} runs, spread evenly over them, were judged")
    sample = sample_of_runs(judged, passage, eps_range)
    decision = decide_sample(sample, level=level)
    if decision.law == "inconclusive" and asked is not None:
        deeper = [r for r in runs if (r.loss[r.loss > 0] < asked[0] / 2).any()]
        if decision.decades < MIN_DECADES and len(deeper) >= 0.5 * len(runs):
            text = f"state a wider range: {len(deeper)} of {len(runs)} runs went below it"
            if len(sample.curves) < MIN_CURVES:
                text = f"{decision.advice.split('; ')[0]}; {text}"
            decision = replace(decision, advice=text)
    said = remarks(runs, passage)
    known = floor or curves.kind == "ioh" or any(note.startswith("eps = ") for note in curves.notes)
    if not known and own_floor(runs):
        text = (
            "the floor was taken from the same run: each run's own minimum is exactly 0, so its"
            " last decades come from one step"
        )
        advice = "subtract an infimum known from elsewhere (--floor X), or say --floor estimate"
        decision = replace(decision, law="inconclusive", reason=text, advice=advice)
    grid = lattice(runs)
    if grid and decision.law == "inconclusive" and grid.decades < MIN_DECADES:
        decision = replace(decision, advice=grid.advice)
    notes += said
    return Rate(
        decision, tuple(runs), tuple(sample.usable), tuple(notes), name,
        curves.loss_column, curves.step_column, passage,
    )  # fmt: skip


def _runs(frame: pd.DataFrame, column: str) -> tuple[list[Run], list[str]]:
    """Return the runs of one group, and what was left out of them."""
    runs: list[Run] = []
    unlogged: list[str] = []
    for name, part in frame.groupby("run", sort=False, observed=True):
        loss = part["loss"].to_numpy(np.float64)
        if not np.isfinite(loss).any() and not np.isinf(loss).any():
            unlogged.append(str(name))
            continue
        try:
            runs.append(clean_run(str(name), part["step"], loss, part["row"]))
        except ValueError as error:
            if np.isinf(loss).any() or "no loss" in str(error):
                unlogged.append(str(name))
                continue
            raise ReadingError(str(error)) from None
    notes = []
    if unlogged:
        notes.append(f"{len(unlogged)} runs have no finite loss: {', '.join(unlogged[:5])}")
    if not runs:
        raise ReadingError(f"no run has a finite loss; is {column!r} the right column (--loss)?")
    return runs, notes


def _check_values(
    runs: Sequence[Run], column: str, floor: float | str, asked: tuple[float, float] | None
) -> None:
    """Refuse losses that hold no eps at all, with the values seen."""
    low = min(float(r.loss.min()) for r in runs)
    high = max(float(r.loss.max()) for r in runs)
    after = f" minus the floor {floor:g}" if not isinstance(floor, str) and floor else ""
    if high <= 0.0:
        raise ReadingError(
            f"column {column!r}{after} is never positive ({low:.4g} to {high:.4g}): eps is the"
            " distance to the least possible value, give it as --floor"
        )
    if low == high:
        raise ReadingError(f"column {column!r} is {low:.4g} in every row: nothing falls")
    if asked is not None and (high < asked[0] or low > asked[1]):
        raise ReadingError(
            f"range {asked[0]:g} to {asked[1]:g} holds no loss; column {column!r}{after} goes from"
            f" {high:.4g} down to {low:.4g}"
        )


def _estimated(
    runs: Sequence[Run], eps_range: tuple[float, float] | None
) -> tuple[list[Run], tuple[float, float], str]:
    """Subtract a floor fitted to each run; return the range that it leaves to look at."""
    shifted, floors, nearest = [], [], 0.0
    for run in runs:
        curve = curve_of(run)
        if curve is None:
            raise ReadingError(f"--floor estimate: run {run.name} has fewer than four points")
        squares, log_floors = fit_floored_powers(curve)
        floor = float(np.exp(log_floors[squares.argmin()]))
        floors.append(floor)
        shifted.append(run.minus(floor))
        nearest = max(nearest, 3.0 * (float(run.loss.min()) - floor))
    low, high = eps_range or (0.0, np.inf)
    low = max(low, nearest, 1e-300)
    if not low < high:
        raise ReadingError(
            f"--floor estimate leaves nothing below {high:g}; it looks down to {low:g}"
        )
    note = (
        f"floors were estimated from the runs themselves, one each ({min(floors):.6g} to"
        f" {max(floors):.6g}); eps below"
        f" {low:.2g} (three times the last gap to a floor) is not looked at"
    )
    return shifted, (low, high), note
