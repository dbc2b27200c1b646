"""Recorded verdicts: the tier of each claim gives its own, case by case, and nothing else."""

from dataclasses import replace

import pandas as pd
import pytest

from motsim.claims import Finding, Verdict, claim_module, claim_names
from motsim.claims._recorded import join, recorded, rows
from motsim.plans.loading import load_sweep
from tests.claims.conftest import BOUNDED

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
def test_the_quick_tier_gives_the_recorded_verdicts(run_quick, name):
    known = recorded(name, "quick")
    if name in BOUNDED:  # a finding is named after its case
        known = {case: v for case, v in known.items() if case.split()[0] in BOUNDED[name]}
    assert known
    assert other(judged(name, run_quick(name)), known) == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDED)
def test_the_whole_quick_tier_gives_the_recorded_verdicts(run_quick, name):
    found = judged(name, run_quick(name, cases="all"))
    assert other(found, recorded(name, "quick")) == {}


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
