"""What the commands print: tables of hitting times and of verdicts, in plain text."""

import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.claims._reproduced import told
from motsim.commands.reason import reason
from motsim.printing import print_colored
from motsim.results.tables import Tables
from motsim.running.reproduction import STRIDE, Recorded, totals
from motsim.statistics.interval import Verdict

__all__ = [
    "is_decade",
    "label_text",
    "median_steps",
    "print_claims",
    "print_conclusion",
    "print_findings",
    "print_hitting_times",
    "print_reproduction",
    "print_title",
    "print_verdicts",
]

WIDTH, COLUMNS = 100, 80
FLOW = "~"  # mark of what comes from a gradient flow, and name of its column


def print_hitting_times(tables: Tables) -> None:
    """Print the median T(eps) of each setting, one column a decade; `-` where most seeds stop.

    Where they are too many for the width, every second or third decade, and the last.
    """
    text = median_steps(tables)
    if text is None:
        return
    print("\nmedian steps T(eps) to expected loss eps, from the first step ('-': not reached)")
    if FLOW in text.index.names:
        print(f"'{FLOW}': along the gradient flow, its time counted in steps; others: descent")
    if (text == "").any(axis=None):
        print("blank: not looked at so far down")
    count = len(text.columns)
    thinned = (text.iloc[:, (count - 1) % each :: each] for each in range(1, count + 1))
    lines = [some.to_string() for some in thinned if len(some.columns) >= min(3, count)]
    fits = (t for t in lines if max(map(len, t.splitlines())) <= COLUMNS)
    print(next(fits, lines[-1]))


def median_steps(tables: Tables) -> pd.DataFrame | None:
    """Return the median T(eps) of each setting as text, a column a decade; None without any.

    Every setting has a row, in the order of the sweep; `-` where it is not reached, and where a
    setting has no such axis; blank where nothing was looked at. Where some of them come from a
    gradient flow, a last level `FLOW` of the index marks these.
    """
    if "epsilon" not in tables.main:
        return None
    rows = tables.main[tables.main["epsilon"].map(is_decade)]
    if rows.empty:  # none lies between the targets
        rows = tables.main[tables.main["epsilon"].notna()]
    settings = [label for label in tables.labels if label != "seed"] or ["run"]
    rows = rows.assign(
        step=rows["step"].astype(float).where(rows["step"] >= 0, float("inf")),
        **{label: rows[label].map(label_text) for label in settings},
    )
    if rows.empty:
        return None
    if "flow_rtol" in rows and rows["flow_rtol"].notna().any():
        settings = [*settings, FLOW]
        rows = rows.assign(**{FLOW: np.where(rows["flow_rtol"].notna(), FLOW, "")})
    wide = rows.groupby([*settings, "epsilon"])["step"].median().unstack("epsilon")
    order = rows[settings].drop_duplicates()
    wide = wide.loc[
        list(order[settings[0]] if len(settings) == 1 else order.itertuples(index=False, name=None))
    ]
    wide = wide[sorted(wide.columns, reverse=True)]
    wide.columns = [f"{eps:.0e}" for eps in wide.columns]
    text: pd.DataFrame = wide.map(_count)
    return text


def label_text(value: Any) -> str:
    """Return a label as it is written in a sweep file; `-` where a case has no such axis."""
    if isinstance(value, float) and not np.isfinite(value):
        return "-"
    whole = isinstance(value, float) and value == int(value)
    return f"{value:.0f}" if whole and abs(value) < 1e6 else str(value)


def _count(steps: float) -> str:
    if np.isnan(steps):
        return ""
    if np.isinf(steps):
        return "-"
    return f"{steps:.0f}" if steps < 1e6 else f"{steps:.1e}".replace("e+", "e")


def is_decade(epsilon: float) -> bool:
    """Whether a target is a decade, to rounding."""
    mantissa = f"{epsilon:.3e}".split("e")[0]
    return mantissa in ("1.000", "9.999")


def print_title(line: str) -> None:
    """Print what is run, at once."""
    width = _too_wide([line])
    print(textwrap.fill(line, width, subsequent_indent="  ") if width else line, flush=True)


def print_conclusion(lines: Sequence[str]) -> None:
    """Print what was found in words, before any table."""
    for line in lines:
        print(textwrap.fill(line, COLUMNS, subsequent_indent="  "))


def print_findings(findings: Sequence[Finding]) -> None:
    """Print verdicts, each with its evidence."""
    print()
    wide = max(len(finding.case) for finding in findings)
    heads = [f"{f.case:<{wide}}  {f.verdict:<12}  {f.measured}  ({_as(f)})" for f in findings]
    narrow = _too_wide(heads)
    for finding in findings:
        verdict: str = finding.verdict
        if narrow:
            print_colored(f"{finding.case}  ", verdict, f"  ({_as(finding)})")
            print(_indented(finding.measured, 4, narrow))
            print(_indented(finding.evidence, 4, narrow))
        else:
            space = " " * (14 - len(verdict))
            rest = f"{space}{finding.measured}  ({_as(finding)})"
            print_colored(f"{finding.case:<{wide}}  ", verdict, rest)
            print(_indented(finding.evidence, wide + 2, _width()))


def _as(finding: Finding) -> str:
    return "as expected" if finding.as_expected else f"EXPECTED {finding.expected or 'nothing'}"


def _indented(text: str, num_spaces: int, width: int) -> str:
    indent = " " * num_spaces
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


def _too_wide(lines: Sequence[str]) -> int:
    """Return the width of the terminal if a line does not fit in it, else 0; files take any."""
    width = _terminal()
    return width if width and any(len(line) > width for line in lines) else 0


def _width() -> int:
    """Return how wide text is filled: as far as the eye likes, or as the terminal goes."""
    return min(WIDTH, _terminal() or WIDTH)


def _terminal() -> int:
    """Return the width of the terminal; 0 where the output is none."""
    return max(shutil.get_terminal_size().columns, 40) if sys.stdout.isatty() else 0


def print_claims(claims: Mapping[str, Claim]) -> None:
    """Print what is claimed and where it comes from."""
    for name, claim in claims.items():
        print_title(f"{name} ({claim.kind}; {claim.origin}: {claim.source})")
        print(_indented(claim.statement, 2, _width()))


def print_verdicts(
    verdicts: Mapping[str, Sequence[Finding]],
    claims: Mapping[str, Claim],
    together: Mapping[str, Sequence[str] | None],
) -> None:
    """Print the table of all verdicts: claim, case, prediction, measurement, verdict, recorded.

    `together` are the cases of each claim that stand together, None where that was not asked.
    """
    stand, alone = 0, 0
    for name, findings in verdicts.items():
        claim, joint = claims[name], together.get(name)
        width = max(len(finding.case) for finding in findings)
        first = f"{name}  ({claim.kind})  {claim.prediction}"
        lines = [f"{'':<{width}}  {'':<14}  predicted: {f.predicted}" for f in findings]
        narrow = _too_wide([first, *lines, *(f"{'':<{width + 18}}{f.measured}" for f in findings)])
        print("\n" + (textwrap.fill(first, narrow, subsequent_indent="  ") if narrow else first))
        for finding in findings:
            mark = "" if finding.as_expected else f"   <- RECORDED: {finding.expected or 'nothing'}"
            star = ""
            if joint is not None and finding.verdict != Verdict.INCONCLUSIVE:
                stand += finding.case in joint
                alone += finding.case not in joint
                star = "" if finding.case in joint else " *"
            verdict: str = finding.verdict
            if narrow:
                print_colored(f"  {finding.case}  ", verdict, star + mark)
                print(_indented(finding.measured, 6, narrow))
                print(_indented(f"predicted: {finding.predicted}", 6, narrow))
                _print_reason(finding)
                continue
            rest = f"{star:<{12 - len(verdict)}}  {finding.measured}{mark}"
            print_colored(f"  {finding.case:<{width}}  ", verdict, rest)
            print(f"  {'':<{width}}  {'':<12}  predicted: {finding.predicted}")
            _print_reason(finding)
    everything = [finding for found in verdicts.values() for finding in found]
    count = {v: sum(f.verdict == v for f in everything) for v in Verdict}
    other = sum(not finding.as_expected for finding in everything)
    print(
        f"\n{len(verdicts)} claims, {len(everything)} verdicts: {count[Verdict.HOLDS]} hold,"
        f" {count[Verdict.FAILS]} fail, {count[Verdict.INCONCLUSIVE]} inconclusive;"
        f" {other} not as recorded"
    )
    if fresh := told(finding.reproduced for finding in everything):
        print(textwrap.fill(f"of the recorded ones {fresh}", COLUMNS))
    decided = count[Verdict.HOLDS] + count[Verdict.FAILS]
    if any(cases is not None for cases in together.values()):
        print(
            f"of {decided} decisions, each at 95 % (up to {0.05 * decided:.0f} may be false),"
            f" {stand} stand together\nwithin their claim (Holm, 5 % a claim); * marks the"
            f" {alone} that stand alone only"
        )


def _print_reason(finding: Finding) -> None:
    """Print why a verdict is inconclusive, whatever the width of the rest: in one line."""
    if why := reason(finding, 6):
        print(f"      {why}")


def print_reproduction(counted: Mapping[str, Sequence[Recorded]], starts: Sequence[int]) -> None:
    """Print how often each recorded holds or fails came out, in 80 columns."""
    blocks = len(starts)
    shown = [str(start) for start in starts]
    seeds = ", ".join(shown if blocks <= 3 else [*shown[:2], "...", shown[-1]])
    print(f"{blocks} block{'s' * (blocks > 1)} of seeds, from {seeds} (stride {STRIDE})")
    for name, rows in counted.items():
        print(f"\n{name}")
        if not rows:
            print("  nothing is recorded as holds or fails")
            continue
        print(f"  {'case':<35} {'recorded':<8} {'came out':>11} {'opposite':>8} {'undecided':>9}")
        for row in rows:
            case = row.case if len(row.case) <= 35 else f"{row.case}\n  {'':<35}"
            out = f"{row.came_out} of {blocks}"
            print(
                f"  {case:<35} {row.recorded:<8} {out:>11} {row.opposite:>8} {row.undecided:>9}"
                f"{'  !' if row.turned else ''}"
            )
        _print_totals(totals(rows), f"  {name}: ")
    print()
    _print_totals(totals(row for rows in counted.values() for row in rows), "all: ")
    print("undecided: inconclusive or no finding; nothing recorded as inconclusive counts")
    turned = [row for rows in counted.values() for row in rows if row.turned]
    for row in turned:
        print(f"! {row.claim}, {row.case}: recorded as {row.recorded}, turned in {row.opposite}")


def _print_totals(found: Mapping[str, int], front: str) -> None:
    share = 100 * found["came_out"] / max(found["verdicts"], 1)
    text = (
        f"{found['recorded']} recorded verdicts, {found['always']} came out in every block;"
        f" block by block {found['came_out']} of {found['verdicts']} came out ({share:.1f} %),"
        f" {found['opposite']} opposite, {found['inconclusive'] + found['missing']} undecided"
    )
    indent = " " * (len(front) - len(front.lstrip()) + 2)
    print(textwrap.fill(front + text, 80, subsequent_indent=indent))
