"""Outcomes of runs: every run is counted once, and shares have exact intervals."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from motsim.claims._outcomes import outcomes, specialized


def table(covered, status, stage_length=None):
    """Three rows (eps) a run."""
    runs = pd.DataFrame({"run": range(len(covered)), "covered_classes": covered, "status": status})
    runs["stage_length"] = 100.0 if stage_length is None else stage_length
    return runs.loc[runs.index.repeat(3)].reset_index(drop=True)


def test_every_run_is_one_outcome():
    rows = table(
        [4, 4, 3, np.nan, np.nan, 4],
        ["reached", "max_steps", "max_steps", "diverged", "error", "worker_died"],
        [100, 100, 100, 100, np.nan, np.nan],
    )
    found = outcomes(rows, 4)
    assert (found.num_done, found.num_uncovered, found.num_diverged, found.num_failed) == (
        2, 1, 1, 2,
    )  # fmt: skip
    assert found.num_runs == 6
    assert set(specialized(rows, 4)["run"]) == {0, 1}
    text = str(found)
    assert "2 of 6 runs specialize" in text
    assert "1 do not cover every class, 1 diverged, 2 raised an error" in text


def test_a_model_without_a_gate_has_nothing_to_cover():
    rows = table([np.nan] * 3, ["reached", "max_steps", "diverged"])
    assert str(outcomes(rows)).startswith("2 of 3 runs stay finite")
    assert set(specialized(rows)["run"]) == {0, 1}
    # control: with classes to cover, none of them counts
    assert outcomes(rows, 4).num_done == 0


@pytest.mark.parametrize(("done", "total"), [(0, 7), (3, 7), (96, 100), (12, 12)])
def test_interval_is_clopper_and_pearson_s(done, total):
    rows = table([4] * done + [3] * (total - done), ["reached"] * total)
    share = outcomes(rows, 4).interval()
    low, high = share.low, share.high
    if done:
        assert stats.binom.sf(done - 1, total, low) == pytest.approx(0.025, rel=1e-6)
    if done < total:
        assert stats.binom.cdf(done, total, high) == pytest.approx(0.025, rel=1e-6)
    assert low == 0.0 or done
    assert high == 1.0 or done < total


def test_no_runs_have_no_share():
    found = outcomes(table([], []), 4)
    assert np.isnan(found.interval().value)
    assert (found.interval().low, found.interval().high) == (0.0, 1.0)
