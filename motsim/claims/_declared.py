"""Claims of a sweep file's table ``[claim]``, judged by motsim.rates and motsim.statistics.

Each setting (case and values of the grid) is one finding a criterion. A run that diverged or failed
is counted: it has not reached, it is not among the share. Ratios are of runs with the same seed:
their geometric mean with Student's interval of the logarithms; where a run has not reached its
target, the median with order statistics, of what is known of that run (its budget).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from motsim.checks import nearest
from motsim.claims import Claim, Finding, Interval, Kind, Verdict
from motsim.claims._rates import PREDICTED, case_decision, exponent_of, pace_of, range_text
from motsim.claims._undecided import nothing, undecided
from motsim.mixture.status import Status
from motsim.plans.claim_table import (
    Bound,
    CaseClaim,
    ClaimTable,
    Condition,
    Criterion,
    Ratio,
    Share,
)
from motsim.plans.plan import Sweep, SweepError
from motsim.rates import RateDecision, supports
from motsim.results.tables import Tables
from motsim.statistics.intervals import exact_share_interval, mean_interval, median_interval

__all__ = ["DeclaredClaim", "compared"]

LAWS = {"1/eps": "inverse"}
SAME_EPSILON = 1e-9  # relative


@dataclass(frozen=True)
class DeclaredClaim:
    """The claim of a sweep file, with the two things that a claim's module has."""

    sweep: Sweep
    table: ClaimTable

    @property
    def CLAIM(self) -> Claim:
        """What is claimed."""
        cases = list(self.sweep.file.case) or [""]
        texts, kinds = [], []
        for case in cases:
            mine = self.table.of(case)
            for name in () if mine.skip else mine.criteria():
                texts.append(predicted(mine, name))
                kinds.append(_kind(mine, name))
        statement = self.table.statement or self.sweep.title
        source = self.table.source or self.sweep.path.name
        prediction = "; ".join(dict.fromkeys(texts))
        return Claim(statement, source, self.table.origin, prediction, kinds[0])

    def judge(self, tables: Tables) -> list[Finding]:
        """Judge every setting.

        Raises
        ------
        SweepError
            If a column or an eps that the claim names is not in the results.
        """
        axes = [label for label in tables.labels if label not in ("seed", "case")]
        by = [label for label in ("case", *axes) if label in tables.main]
        groups = (
            list(tables.main.groupby(by, dropna=False, sort=False)) if by else [((), tables.main)]
        )
        single = all(
            len(self.table.of(case).criteria()) <= 1 for case in self.sweep.file.case or [""]
        )
        findings = []
        for values, rows in groups:
            point = dict(zip(by, values, strict=True))
            case = str(point.pop("case", ""))
            mine = self.table.of(case)
            for criterion in () if mine.skip else mine.criteria():
                if criterion == "ratio" and mine.ratio and mine.ratio.to == case:
                    continue
                held = {axis: v for axis, v in point.items() if v == v}  # NaN: of another case
                there = [f"{axis} {_said(v)}" for axis, v in held.items()]
                name = ", ".join([case] * bool(case) + there)
                name = (name or "all") if single else f"{name or 'all'}: {criterion}"
                try:
                    findings.append(self._finding(name, criterion, mine, rows, tables, point))
                except KeyError as error:
                    column = str(error.args[0])
                    columns = [str(known) for known in tables.main]
                    raise SweepError(
                        f"{self.sweep.path}: [claim] {criterion}: no result is called"
                        f" {column!r}{nearest(column, columns)}"
                    ) from error
        return findings or nothing(self.CLAIM)

    def _finding(
        self, name: str, criterion: Criterion, mine: CaseClaim, rows: pd.DataFrame, tables: Tables,
        point: dict[str, Any],
    ) -> Finding:  # fmt: skip
        total, main = rows["run"].nunique(), tables.main
        if mine.among is not None:
            rows, main = (_filtered(part, Condition.read(mine.among)) for part in (rows, main))
        left = rows["run"].nunique()
        front = "" if left == total else f"{left} of {total} runs have {mine.among}. Of those: "
        said = predicted(mine, criterion)
        if not left:
            why = f"none of {total} runs has {mine.among}"
            found = undecided(name, said, "no run to judge", why)
        elif criterion in ("law", "exponent"):
            decision = _decision(rows, mine)
            verdict, measured = _law_verdict(decision, mine, criterion)
            evidence = front + decision.reason
            found = Finding(name, said, measured, verdict, evidence, exponent_of(decision))
        else:
            if criterion == "share" and mine.share is not None:
                interval, words = _share(rows, mine.share, self.sweep)
                bound: Bound = mine.share
            else:
                assert mine.ratio is not None
                other = _other(main, mine.ratio.to, point)
                interval, words = _ratio(rows, other, mine.ratio, self.sweep)
                bound = mine.ratio
            verdict = compared(interval, bound)
            found = Finding(name, said, f"{interval:.3g}", verdict, front + words, interval)
        return replace(found, expected=Verdict(mine.expects(criterion)))


def _said(value: Any) -> str:
    """Return an axis' value as it is written: a column with gaps holds whole numbers as floats."""
    whole = isinstance(value, float) and value == int(value) and abs(value) < 1e6
    return f"{value:.0f}" if whole else str(value)


def compared(interval: Interval, bound: Bound) -> Verdict:
    """Whether the whole interval is where the bound says."""
    if bound.within is not None:
        return interval.within(*bound.within)
    if bound.above is not None:
        return interval.above(bound.above)
    assert bound.below is not None
    return interval.below(bound.below)


def predicted(mine: CaseClaim, criterion: Criterion) -> str:
    """Return what a criterion predicts, in words."""
    within = f" for eps in [{mine.range[0]:g}, {mine.range[1]:g}]" if mine.range else ""
    if criterion == "law":
        return PREDICTED[str(mine.law)] + within
    if criterion == "exponent":
        return f"p {mine.exponent}{within}"
    if criterion == "ratio":
        ratio = mine.ratio
        assert ratio is not None
        what = f"T({ratio.at:.0e})" if ratio.at is not None else ratio.of
        return f"{what} over that of {ratio.to}: {ratio}"
    share = mine.share
    assert share is not None
    what = f"reach {share.reach:.0e}" if share.reach is not None else f"have {share.of}"
    return f"share of runs that {what}: {share}"


def _kind(mine: CaseClaim, criterion: Criterion) -> Kind:
    if criterion == "law":
        return "upper" if mine.law == "log" else "tight"
    bound: Bound = getattr(mine, criterion)
    return "tight" if bound.within is not None else "lower" if bound.above is not None else "upper"


def _filtered(rows: pd.DataFrame, condition: Condition) -> pd.DataFrame:
    return rows[[condition.holds(value) for value in rows[condition.column]]]


def _decision(rows: pd.DataFrame, mine: CaseClaim) -> RateDecision:
    """Decide the law of a setting; steps count from the last stage, where there are stages."""
    if "stage_step" not in rows:
        rows = rows.assign(stage_step=rows["step"])
    if "stage_length" not in rows:
        rows = rows.assign(stage_length=rows["num_steps"])
    rows = rows[rows["epsilon"].notna() | (rows["status"] == Status.DIVERGED)]
    if mine.range is not None:
        low, high = mine.range
        kept = rows["epsilon"].between(low * (1 - SAME_EPSILON), high * (1 + SAME_EPSILON))
        rows = rows[kept | rows["epsilon"].isna()]
    return case_decision(rows)


def _law_verdict(
    decision: RateDecision, mine: CaseClaim, criterion: Criterion
) -> tuple[Verdict, str]:
    """Verdict and measurement of a law or its exponent."""
    exponent = exponent_of(decision)
    where = range_text(decision)
    p = f"p = {exponent}{where}" if np.isfinite(decision.exponent) else ""
    measured = f"{decision.law}: {p}" if p else "no law"
    if decision.law == "log":
        measured = f"log: {pace_of(decision):.3g} steps a decade{where}"
    if criterion == "law":
        law = str(mine.law)
        return Verdict(supports(decision, LAWS.get(law, law))), measured
    assert mine.exponent is not None
    if decision.law == "inconclusive":
        return Verdict.INCONCLUSIVE, measured
    if decision.law == "floor":  # small eps are never reached: no power holds
        return Verdict.FAILS, measured
    return compared(exponent, mine.exponent), f"{decision.law}: {p}"


def _share(rows: pd.DataFrame, share: Share, sweep: Sweep) -> tuple[Interval, str]:
    if share.reach is not None:
        steps = _steps(rows, share.reach, sweep)
        passed, what = int(np.isfinite(steps).sum()), f"reach {share.reach:.0e}"
        total = len(steps)
    else:
        condition = Condition.read(str(share.of))
        values = rows.drop_duplicates("run")[condition.column]
        passed, total = sum(map(condition.holds, values)), len(values)
        what = f"have {condition}"
    return exact_share_interval(passed, total), f"{passed} of {total} runs {what}"


def _steps(rows: pd.DataFrame, epsilon: float, sweep: Sweep) -> pd.Series:
    """T(eps) of each run by its seed; infinite where it is not reached."""
    there = np.sort(rows["epsilon"].dropna().unique())
    close = there[np.isclose(there, epsilon, rtol=SAME_EPSILON, atol=0.0)]
    if len(there) and not len(close):
        near = there[np.abs(np.log(there / epsilon)).argmin()]
        raise SweepError(f"{sweep.path}: [claim] no target is {epsilon:g}; the nearest is {near:g}")
    hits = rows[rows["epsilon"].isin(close)].set_index("seed")["step"].astype(float)
    hits = hits.where(hits >= 0, np.inf)
    return hits.reindex(rows["seed"].unique(), fill_value=np.inf)


def _other(main: pd.DataFrame, case: str, point: dict[str, Any]) -> pd.DataFrame:
    """Rows of the case that is divided by, at the same values of the axes it has."""
    rows = main[main["case"] == case]
    for axis, value in point.items():
        if rows[axis].notna().any():
            rows = rows[rows[axis] == value]
    return rows


def _ratio(
    rows: pd.DataFrame, other: pd.DataFrame, ratio: Ratio, sweep: Sweep
) -> tuple[Interval, str]:
    (low_a, high_a), (low_b, high_b) = (
        _known(part, ratio, sweep) for part in (rows, other)
    )  # each by seed
    seeds = low_a.index.intersection(low_b.index)
    if not len(seeds):
        return Interval(), f"no seed is both in this case and in {ratio.to}"
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = (low_a[seeds] / high_b[seeds]).fillna(0.0)
        upper = (high_a[seeds] / low_b[seeds]).fillna(np.inf)
    exact = lower == upper
    words = f"{len(seeds)} pairs of runs with the same seed"
    if exact.all() and (lower > 0).all() and np.isfinite(upper).all():
        return mean_interval(np.log(lower)).map(np.exp), f"geometric mean of {words}"
    middle = np.sort(np.where(np.isfinite(upper), upper, lower))[len(seeds) // 2]
    ends = median_interval(lower, between=(lower, upper))
    return Interval(float(middle), ends.low, ends.high), (
        f"median of {words}; of {int((~exact).sum())} only a bound is known, as a run of them has"
        " not reached its target or has no positive value"
    )  # fmt: skip


def _known(rows: pd.DataFrame, ratio: Ratio, sweep: Sweep) -> tuple[pd.Series, pd.Series]:
    """Least and largest value that each run's quantity may have, by its seed."""
    if ratio.at is not None:
        steps = _steps(rows, ratio.at, sweep)
        budget = rows.drop_duplicates("seed").set_index("seed").get("num_steps")
        least = steps.copy()
        least[np.isinf(steps)] = 0.0 if budget is None else budget.fillna(0.0)[np.isinf(steps)]
        return least, steps
    values = rows.drop_duplicates("run").set_index("seed")[str(ratio.of)].astype(float)
    usable = np.isfinite(values) & (values > 0)
    return values.where(usable, 0.0), values.where(usable, np.inf)
