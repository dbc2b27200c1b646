"""Ways to break a rehearsal sweep's tables on purpose, and tables that judges must cope with."""

from dataclasses import replace

import numpy as np
import pandas as pd

from motsim.experiments.rehearsal.run import predict
from motsim.plans.loading import load_sweep
from motsim.rehearsal import theory

QUANTITIES = ("forgetting", "generalization")


def verdicts(findings):
    return {finding.case: finding.verdict for finding in findings}


def with_main(tables, main):
    return replace(tables, main=main)


def drop_cross_term(monkeypatch):
    """Break the closed form: no cross terms between the blocks of a fit."""

    def broken(counts, tasks, noise):
        columns = counts.sum(axis=1)
        pull = counts @ tasks.squared_distances
        common = columns * noise**2 / (tasks.dimension - columns - 1)
        return 1 - columns / tasks.dimension, pull / tasks.dimension + common[:, None]

    monkeypatch.setattr(theory, "fit_maps", broken)


def wrong_dimension(monkeypatch):
    """Break the closed form: p + 1 for p."""
    right = theory.fit_maps
    monkeypatch.setattr(
        theory,
        "fit_maps",
        lambda counts, tasks, noise: right(
            counts, replace(tasks, dimension=tasks.dimension + 1), noise
        ),
    )


def predicted_again(tables, cases=None):
    """Tables with the closed form, patched or not, computed anew beside the stored simulation."""
    settings = {cell.key[:12]: cell.settings for cell in load_sweep(tables.name).cells("quick")}
    main = tables.main if cases is None else tables.main[tables.main["case"].isin(cases)]
    rows = []
    for row in main.to_dict("records"):
        again = predict(settings[row["run"]])
        rival = {f"{name}_rival": row[f"{name}_rival"] for name in QUANTITIES}
        rows.append({**row, **again, **rival})
    return with_main(tables, pd.DataFrame(rows))


def swapped(tables, first, second):
    """Tables whose runs of two strategies carry each other's name."""
    names = {first: second, second: first}
    main = tables.main.copy()
    main["strategy"] = main["strategy"].map(lambda name: names.get(name, name))
    return with_main(tables, main)


def assert_judge_copes(judge, tables):
    """Empty, one-row, failed and NaN tables, and two seeds: inconclusive and no traceback."""
    main = tables.main
    ends = ("", "_se", "_predicted")
    numbers = [c for name in QUANTITIES for end in ends if (c := f"{name}{end}") in main]
    for poor in (
        pd.DataFrame(),
        main.iloc[:0],
        main.iloc[:1],
        main.assign(status="error"),
        main.assign(**dict.fromkeys(numbers, np.nan)),
        main[main["seed"] < 2],
    ):
        found = judge(with_main(tables, poor))
        assert found
        assert {finding.verdict for finding in found} == {"inconclusive"}
