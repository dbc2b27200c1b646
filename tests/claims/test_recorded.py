"""Recorded verdicts: the tier of each claim gives its own, case by case, and nothing else."""

import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from motsim.claims import Finding, Verdict, claim_module, claim_names
from motsim.claims._recorded import join, recorded, rows
from motsim.plans.loading import load_sweep
from tests.claims.bounded import BOUNDED, Bound

#: From the end: test_degenerate_tables.py goes through the same sweeps from the start.
NAMES = sorted(claim_names(), reverse=True)


def judged(name, tables):
    return {finding.case: finding.verdict for finding in claim_module(name).judge(tables)}


def other(found, known):
    """What is found and what is recorded, of every case where these differ."""
    cases = [*known, *(case for case in found if case not in known)]
    both = {case: (found.get(case), known.get(case)) for case in cases}
    return {case: pair for case, pair in both.items() if pair[0] != pair[1]}


@pytest.mark.parametrize("name", NAMES)
def test_the_bounded_tier_gives_the_recorded_verdicts(run_quick, name):
    """Nothing is decided otherwise, and no more is left open than what the bound names."""
    known = recorded(name, "quick")
    assert known
    assert left_open(judged(name, run_quick(name)), known) == BOUNDED.get(name, Bound()).undecided


def left_open(found, known):
    """Number of recorded verdicts that are not decided; no other difference is there."""
    apart = other(found, known)
    assert all(verdict in (None, Verdict.INCONCLUSIVE) for verdict, _ in apart.values()), apart
    assert all(verdict is not None for _, verdict in apart.values()), apart
    return len(apart)


def test_a_verdict_decided_otherwise_is_found():
    """Control: also a case that is nowhere recorded."""
    known = {"a": Verdict.HOLDS, "b": Verdict.FAILS, "c": Verdict.INCONCLUSIVE}
    assert left_open(known, known) == 0
    assert left_open(known | {"a": Verdict.INCONCLUSIVE}, known) == 1
    assert left_open({"c": Verdict.INCONCLUSIVE}, known) == 2
    for turned in ({"a": Verdict.FAILS}, {"c": Verdict.HOLDS}, {"d": Verdict.INCONCLUSIVE}):
        with pytest.raises(AssertionError):
            left_open(known | turned, known)


#: A line of docs/verdicts.txt: case, verdict, what was measured.
LINE = re.compile(r"  (\S.*?)  +(holds|fails|inconclusive) +(.*)")
DOCUMENT = Path(__file__).parents[2] / "docs" / "verdicts.txt"


def told(name, text):
    """Case -> verdict and measurement, as the document has them."""
    block = re.search(rf"^{re.escape(name)}  \(.*?(?=\n\n)", text, re.DOTALL | re.MULTILINE)
    lines = block.group(0).splitlines()[1:] if block else []
    return {m[1]: (m[2], m[3]) for m in map(LINE.fullmatch, lines) if m}


def shape(measured):
    """Words of a measurement and numbers of runs; other numbers end in digits of the machine."""
    runs = re.findall(r"of (\d+)|/(\d+) \[", measured)
    return re.sub(r"inf|-?\d+([.,]\d+)*(e[+-]?\d+)?", "#", measured), runs


@pytest.mark.parametrize("name", NAMES)
def test_the_document_has_every_recorded_verdict(name):
    found = {case: verdict for case, (verdict, _) in told(name, DOCUMENT.read_text()).items()}
    assert found == {case: str(verdict) for case, verdict in recorded(name, "quick").items()}


@pytest.mark.parametrize("name", [name for name in NAMES if not BOUNDED.get(name, Bound()).seeds])
def test_the_document_says_what_the_quick_tier_measures(run_quick, name):
    check_document(name, run_quick(name))


def check_document(name, tables):
    """But for verdicts that a bound leaves open."""
    document = told(name, DOCUMENT.read_text())
    for finding in claim_module(name).judge(tables):
        verdict, measured = document[finding.case]
        if finding.verdict == verdict:
            assert shape(measured) == shape(finding.measured), finding.case


def test_a_document_of_other_runs_is_found():
    """Control: as many seeds as there were before; a law without its range."""
    line = "x  (tight)  y\n  a case  holds         8 of 8 runs within a factor 1.01\n\n"
    (verdict, measured) = told("x", line)["a case"]
    assert verdict == "holds"
    assert shape(measured) == shape("7 of 8 runs within a factor 1.02")
    assert shape(measured) != shape("12 of 12 runs within a factor 1.01")
    assert shape("log: 54 [54, 54] steps a decade") != shape("log: 54 [54, 54], 6e-02 to 1e-07")
    assert shape("17/24 [0.49, 0.87]") != shape("17/12 [0.49, 0.87]")
    assert told("z", line) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDED)
def test_the_whole_quick_tier_gives_the_recorded_verdicts(run_quick, name):
    tables = run_quick(name, cases="all")
    assert other(judged(name, tables), recorded(name, "quick")) == {}
    check_document(name, tables)


@pytest.mark.parametrize("name", sorted({row.claim for row in rows() if row.tier == "full"}))
def test_what_is_recorded_for_the_full_tier_only_is_a_case_of_it(run_quick, name):
    """Cases, not verdicts: nobody waits for the full tier."""
    tables = run_quick(name)
    main = borrowed(tables.main, load_sweep(name).cells("full"))
    if name == "rehearsal-deep":  # the level that is least similar is found by measuring
        main["cosine"] = main["level"].where(main["case"] == "classes", -main["level"])
    quick = recorded(name, "quick")
    found = judged(name, replace(tables, main=main, meta=tables.meta | {"tier": "full"}))
    assert {*found} - {*quick} == {*recorded(name, "full")} - {*quick}


def borrowed(main, cells, seeds=3):
    """Rows of a few seeds of each cell, with the numbers of some run, of the same case if any."""
    parts, seen = [], {}
    for cell in cells:
        point = tuple((key, value) for key, value in cell.labels.items() if key != "seed")
        seen[point] = seen.get(point, 0) + 1
        if seen[point] <= seeds:
            own = main[main["case"] == cell.labels["case"]]
            lender = own if len(own) else main
            part = lender[lender["run"] == lender["run"].iloc[0]]
            parts.append(part.assign(**cell.labels, run=cell.key[:12]))
    return pd.concat(parts, ignore_index=True)


def test_the_table_has_a_row_a_claim_case_and_tier():
    keys = [(row.claim, row.case, row.tier) for row in rows()]
    assert len(keys) == len(set(keys))
    assert {row.claim for row in rows()} == set(claim_names())
    assert {row.tier for row in rows()} == {"quick", "full"}


def test_the_quick_tier_stands_for_the_full_one_where_that_has_no_row():
    assert "cubic-16" not in recorded("coverage", "quick")
    full = recorded("coverage", "full")
    assert (full["cubic-16"], full["cubic-8"]) == ("fails", "holds")


def test_what_is_not_as_recorded_is_found():
    """Control: a turned verdict, a lost case, and one that is nowhere recorded."""
    known = recorded("coverage", "quick")
    turned = known | {"linear": known["linear"].opposite}
    assert other(turned, known) == {"linear": ("holds", "fails")}
    lost = {case: verdict for case, verdict in known.items() if case != "linear"}
    assert other(lost, known) == {"linear": (None, "fails")}
    assert other(known, lost) == {"linear": ("fails", None)}
    findings = [
        Finding(case, "", "", verdict, "") for case, verdict in (turned | {"new": "holds"}).items()
    ]
    joined = {finding.case: finding for finding in join("coverage", "quick", findings)}
    assert [case for case, f in joined.items() if not f.as_expected] == ["linear", "new"]
    assert joined["new"].expected is None
    assert joined["linear"].expected is Verdict.FAILS
