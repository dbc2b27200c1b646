"""Holm's rule over the findings of a claim: which verdicts stand together."""

import numpy as np
import pytest
from scipy import stats

from motsim.claims import Finding
from motsim.claims._together import stands_together
from motsim.statistics.confidence import LEVEL, at_level, resolve
from motsim.statistics.intervals import mean_interval


def judged(samples):
    """A claim of K findings: is the mean of each sample above 0?"""

    def judge(tables):
        rows = []
        for i, sample in enumerate(samples):
            found = mean_interval(sample)
            rows.append(Finding(f"{i}", "> 0", "", found.above(0.0), "", found))
        return rows

    findings = judge(None)
    return findings, stands_together(judge, None, findings)


def holm(samples):
    """Reference: the step-down rule over two-sided p values of Student's test."""
    tests = np.array([stats.ttest_1samp(sample, 0.0).pvalue for sample in samples])
    found = set()
    for rank, i in enumerate(np.argsort(tests)):
        if tests[i] > (1 - LEVEL) / (len(samples) - rank):
            break
        found.add(f"{i}")
    return found


@pytest.mark.parametrize("seed", range(20))
def test_it_is_holms_rule(seed):
    rng = np.random.default_rng(seed)
    shift = rng.choice([0.0, 0.6, 1.2], size=(9, 1))
    samples = rng.normal(size=(9, 10)) + shift
    findings, found = judged(samples)
    assert set(found) <= {f.case for f in findings if f.verdict != "inconclusive"}
    assert set(found) == holm(samples)


def test_of_many_true_nulls_seldom_one_stands():
    """Twenty means that are 0: alone at least one is decided in most claims, together in few."""
    rng = np.random.default_rng(7)
    alone = together = 0
    for _ in range(300):
        findings, found = judged(rng.normal(size=(20, 8)))
        alone += any(f.verdict != "inconclusive" for f in findings)
        together += bool(found)
    assert alone > 150  # control: 1 - 0.95^20 = 64 %
    assert together <= 27  # 15 expected; more than 27 of 300 at 5 %: chance 0.001


def test_a_level_is_of_its_block_only():
    assert resolve(None) == LEVEL
    with at_level(0.999):
        assert resolve(None) == 0.999
        assert resolve(0.9) == 0.9
    assert resolve(None) == LEVEL
