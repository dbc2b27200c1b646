"""Deep rehearsal on the quick tier, and settings or data that must turn its verdicts."""

from dataclasses import replace
from importlib.util import find_spec

import pandas as pd
import pytest

from motsim.claims.rehearsal_deep import judge
from motsim.experiments.deep.run import MODULES
from motsim.results.tables import Tables

pytestmark = pytest.mark.skipif(
    any(find_spec(module) is None for module in MODULES),
    reason="extra 'deep' is not installed: pip install -e '.[deep]'",
)


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


@pytest.fixture(scope="module")
def tables(run_sweep):
    return run_sweep("rehearsal-deep")


@pytest.fixture(scope="module")
def broken(run_sweep):
    """One setting that fails as it stands, with three networks and something broken."""

    def run(**overrides):
        options = {"replicates": 3, **overrides}
        return run_sweep("rehearsal-deep", cases=["gentle-rotation"], **options)

    return run


def test_three_networks_are_enough_for_the_setting_of_the_controls(broken):
    assert verdicts(judge(broken())) == {"gentle-rotation 90": "fails"}


def test_a_rule_that_joins_every_memory_leaves_nothing_to_decide(broken):
    """Threshold −1: hybrid is concurrent rehearsal, bit for bit."""
    found = judge(broken(threshold=-1.0))
    assert set(verdicts(found).values()) == {"inconclusive"}
    assert [f.interval.value for f in found] == [0.0]


def test_labels_without_meaning_turn_the_verdict(broken):
    """Nothing can be learned, so no order of rehearsal can be worse than another.

    Twelve networks, since the first three agree by chance; with labels they lose 20 points.
    """
    (found,) = judge(broken(shuffle_labels=True, replicates=12))
    assert found.verdict == "inconclusive"
    assert -4 < found.interval.low < found.interval.high < 4


def test_two_networks_are_too_few(tables):
    few = replace(tables, main=tables.main[tables.main["network"] < 2])
    assert set(verdicts(judge(few)).values()) == {"inconclusive"}


def test_exchanged_strategies_turn_the_verdicts(tables):
    names = {"hybrid": "concurrent", "concurrent": "hybrid"}
    main = tables.main.assign(strategy=tables.main["strategy"].replace(names))
    before, after = (verdicts(judge(t)) for t in (tables, replace(tables, main=main)))
    for name, verdict in before.items():
        opposite = {"fails": "holds", "holds": "fails"}.get(verdict, verdict)
        assert after[name] == opposite


@pytest.mark.parametrize("rows", ["none", "no columns", "one", "diverged"])
def test_tables_without_evidence_are_inconclusive(tables, rows):
    main = tables.main
    main = {
        "none": main.iloc[:0],
        "no columns": pd.DataFrame(),
        "one": main.iloc[:1],
        "diverged": main.assign(status="diverged"),
    }[rows]
    found = judge(Tables("rehearsal-deep", tables.meta, main, {}))
    assert found
    assert set(verdicts(found).values()) == {"inconclusive"}
