"""What the commands print: tables of hitting times and of verdicts, in plain text."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from motsim.claims import Claim, Finding
from motsim.results.tables import Tables

__all__ = ["print_claims", "print_findings", "print_hitting_times", "print_verdicts"]

WIDTH = 100


def print_hitting_times(tables: Tables) -> None:
    """Print the median T(eps) of each setting, one column a decade; `-` where most seeds stop.

    Settings of which most seeds reach no decade are left out.
    """
    if "epsilon" not in tables.main:
        return
    rows = tables.main[tables.main["epsilon"].map(_is_decade)]
    settings = [label for label in tables.labels if label != "seed"] or ["run"]
    rows = rows.assign(step=rows["step"].where(rows["step"] >= 0, float("inf")))
    if "case" in rows:  # in the order of the sweep, the axes in theirs
        rows["case"] = pd.Categorical(rows["case"], rows["case"].unique())
    grouped = rows.groupby([*settings, "epsilon"], observed=True)["step"]
    wide = grouped.median().unstack("epsilon")
    wide = wide[sorted(wide.columns, reverse=True)]
    wide = wide[np.isfinite(wide.to_numpy()).any(axis=1)]
    if wide.empty:
        return
    wide.columns = [f"{eps:.0e}" for eps in wide.columns]
    text = wide.map(lambda step: f"{step:.0f}" if np.isfinite(step) else "-")
    print("\nmedian steps T(eps) to expected loss eps, from the first step ('-': not reached)")
    print(text.to_string())


def _is_decade(epsilon: float) -> bool:
    mantissa = f"{epsilon:.3e}".split("e")[0]
    return mantissa in ("1.000", "9.999")


def print_findings(findings: Sequence[Finding]) -> None:
    """Print verdicts, each with its evidence."""
    print()
    width = max(len(finding.case) for finding in findings)
    for finding in findings:
        mark = "as expected" if finding.as_expected else f"EXPECTED {finding.expected}"
        print(f"{finding.case:<{width}}  {finding.verdict:<12}  {finding.measured}  ({mark})")
        indent = " " * (width + 2)
        print(
            textwrap.fill(finding.evidence, WIDTH, initial_indent=indent, subsequent_indent=indent)
        )


def print_claims(claims: Mapping[str, Claim]) -> None:
    """Print what is claimed and where it comes from."""
    for name, claim in claims.items():
        print(f"{name} ({claim.kind}; {claim.origin}: {claim.source})")
        print(textwrap.fill(claim.statement, WIDTH, initial_indent="  ", subsequent_indent="  "))


def print_verdicts(verdicts: Mapping[str, Sequence[Finding]], claims: Mapping[str, Claim]) -> None:
    """Print the table of all verdicts: claim, case, prediction, measurement, verdict, recorded."""
    for name, findings in verdicts.items():
        claim = claims[name]
        print(f"\n{name}  ({claim.kind})  {claim.prediction}")
        width = max(len(finding.case) for finding in findings)
        for finding in findings:
            mark = "" if finding.as_expected else f"   <- RECORDED: {finding.expected}"
            print(f"  {finding.case:<{width}}  {finding.verdict:<12}  {finding.measured}{mark}")
            print(f"  {'':<{width}}  {'':<12}  predicted: {finding.predicted}")
    everything = [finding for found in verdicts.values() for finding in found]
    count = {v: sum(f.verdict == v for f in everything) for v in ("holds", "fails", "inconclusive")}
    other = sum(not finding.as_expected for finding in everything)
    print(
        f"\n{len(verdicts)} claims, {len(everything)} verdicts: {count['holds']} hold,"
        f" {count['fails']} fail, {count['inconclusive']} inconclusive;"
        f" {other} not as recorded"
    )
