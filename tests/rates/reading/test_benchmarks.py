"""Readers of benchmarks of optimizers. Samples by hand have the shape of the versions named."""

import json

import numpy as np
import pandas as pd
import pytest

from motsim.rates.reading import ReadingError, coco, read
from tests.rates.reading.files import write
from tests.rates.reading.tables import said


def benchopt(strategies=("iteration",)):
    """Columns as benchopt 1.10 writes them, some of its 30 left out."""
    rows = []
    for strategy in strategies:
        stops = [0, 1, 2, 3, 4, 6, 9] if strategy == "iteration" else [1.0, 0.1, 0.01]
        for data in ("Sim[n=5]", "Sim[n=9]"):
            for rep in range(3):
                for i, stop in enumerate(stops):
                    rows.append(
                        {
                            "objective_name": "Quad",
                            "solver_name": f"gd-{strategy}",
                            "dataset_name": data,
                            "idx_rep": rep,
                            "sampling_strategy": strategy.capitalize(),
                            "stop_val": float(stop),
                            "time": 0.1 * i + 0.01 * rep,
                            "objective_value": 2.0**-i,
                            "platform": "Linux",
                            "p_solver_lr": np.nan,
                            "run_date": "2026-01-01",
                        }
                    )
    return pd.DataFrame(rows)


def test_benchopt_results(tmp_path):
    path = tmp_path / "results.csv"
    benchopt().to_csv(path, index=False)
    curves = read(path)
    assert curves.kind == "benchopt"
    assert (curves.loss_column, curves.step_column) == ("objective_value", "stop_val")
    sizes = curves.frame.groupby(["group", "run"], observed=True).size()
    assert set(sizes) == {7}
    assert {group for group, _ in sizes.index} == {"dataset_name=Sim[n=5]", "dataset_name=Sim[n=9]"}
    assert said(curves, "no column says how a solver ended")


def test_benchopt_stops_that_are_tolerances_are_refused(tmp_path):
    path = tmp_path / "results.csv"
    benchopt(("iteration", "tolerance")).to_csv(path, index=False)
    with pytest.raises(ReadingError, match="row 44: stop_val of solver 'gd-tolerance' is a tol"):
        read(path)
    assert len(read(path, where=["solver_name=gd-iteration"]).frame) == 42
    assert len(read(path, step="time").frame) == 60


# coco-experiment 2.8.2
COCO = (
    "% f evaluations | g evaluations | best noise-free fitness - Fopt (1.491500000000e+02) + sum"
    " g_i+ | measured fitness | best measured fitness or single-digit g-values | x1 | x2...\n"
)


def coco_line(evaluations, gap):
    return f"{evaluations} 0 {gap:+.9e} {149.15 + gap:+.9e} {149.15 + gap:+.9e} +0.0e+00\n"


def coco_run(values, budget, per_decade=100):
    """Lines of one run: those that pass a target, and the end of the budget."""
    best, seen, text = np.inf, np.inf, COCO
    for evaluation, value in enumerate(values[:budget], 1):
        best = min(best, value)
        target = np.ceil(per_decade * np.log10(best))
        if target < seen or evaluation == budget:
            text += coco_line(evaluation, best)
        seen = min(seen, target)
    return text


def test_coco_data(tmp_path):
    rng = np.random.default_rng(8)
    runs = [100 * np.cumprod(rng.uniform(0.97, 1.0, 90)) for _ in range(3)]
    text = "".join(coco_run(run, 80, per_decade=5) for run in runs)
    path = write(tmp_path, text, "data_f1/bbobexp_f1_DIM2.dat")
    curves = read(path)
    assert curves.kind == "coco"
    assert said(curves, "end of its budget")
    for i, run in enumerate(runs, 1):
        frame = curves.frame[curves.frame["run"] == str(i)]
        assert frame["step"].iloc[-1] == 80  # the budget stays
        for target in 10.0 ** (np.arange(10, -10, -1) / 5):
            reached = np.flatnonzero(run[:80] <= target)
            hit = frame["step"][frame["loss"] <= target]
            assert hit.size == 0 if reached.size == 0 else hit.iloc[0] == reached[0] + 1


def test_the_last_line_of_coco_is_a_hit_only_if_it_passes_a_target(tmp_path):
    passed = [coco_line(*line) for line in [(1, 90.0), (4, 9.0), (9, 0.9), (20, 0.09)]]
    end = write(tmp_path, COCO + "".join(passed) + coco_line(50, 0.085), "f1.dat")
    assert read(end).frame["loss"].tolist() == [90.0, 9.0, 0.9, 0.09, 0.09]
    assert said(read(end), "1 of 1 had a lower value there, which is no hit")
    hit = write(tmp_path, COCO + "".join(passed) + coco_line(50, 0.0085), "f1.dat")
    assert read(hit).frame["loss"].tolist() == [90.0, 9.0, 0.9, 0.09, 0.0085]
    final = write(tmp_path, COCO + "".join(passed) + coco_line(50, 9e-9), "f1.dat")
    assert read(final).frame["loss"].iloc[-1] == 9e-9
    with pytest.raises(ReadingError, match="row 3: 'oops' is no line of COCO's"):
        read(write(tmp_path, COCO + passed[0] + "oops\n", "f1.dat"))


def test_coco_as_its_library_writes_it(tmp_path, monkeypatch):
    cocoex = pytest.importorskip("cocoex")
    monkeypatch.chdir(tmp_path)
    suite = cocoex.Suite("bbob", "", "dimensions: 2 function_indices: 1 instance_indices: 1-3")
    observer = cocoex.Observer("bbob", "result_folder: here")
    rng = np.random.default_rng(4)
    best = []
    for problem in suite:
        problem.observe_with(observer)
        values = [problem(rng.uniform(-5, 5, 2)) for _ in range(200)]
        best.append(np.minimum.accumulate(values))
        problem.free()
    found = list(tmp_path.glob("exdata/here*/data_f1/*.dat"))
    curves = read(found[0])
    for i, values in enumerate(best, 1):
        frame = curves.frame[curves.frame["run"] == str(i)]
        assert frame["step"].iloc[-1] == 200
        offset = values[0] - frame["loss"].iloc[0]
        for step, loss in zip(frame["step"], frame["loss"], strict=True):
            first = np.flatnonzero(values - offset <= loss * (1 + 1e-6))[0] + 1
            assert step == first or step == 200


@pytest.mark.parametrize(
    "header", ['"function evaluation" "best-so-far f(x)"', "evaluations raw_y"]
)
def test_ioh_data(tmp_path, header):
    # IOHprofiler of 2019 and ioh 0.4.2: a header a run, the last row is the end of the run
    runs = [[(1, 8.0), (5, 12.0), (9, 15.0), (40, 9.0)], [(1, 7.0), (2, 13.0), (40, 15.0)]]
    text = "".join(header + "\n" + "".join(f"{t} {f:.10f}\n" for t, f in run) for run in runs)
    path = write(tmp_path, text, "data_f1/IOHprofiler_f1_DIM16.dat")
    curves = read(path, optimum=16)
    assert curves.kind == "ioh"
    assert curves.frame["run"].tolist() == ["1"] * 4 + ["2"] * 3
    assert curves.frame["loss"].tolist() == [8, 4, 1, 7, 9, 3, 1]
    assert curves.frame["row"].tolist() == [2, 3, 4, 5, 7, 8, 9]
    assert read(path).frame["loss"].tolist() == [7, 3, 0, 6, 8, 2, 0]  # both reach 15
    falling = text.replace("12.0", "5.0").replace("13.0", "4.0").replace("15.0", "2.0")
    minimized = read(write(tmp_path, falling, "data_f1/IOHprofiler_f1_DIM16.dat"))
    assert minimized.frame["loss"].tolist() == [8, 5, 2, 9, 7, 4, 2]
    with pytest.raises(ReadingError, match="row 3, column"):
        read(write(tmp_path, text.replace("5 12.0", "5 x"), "data_f1/a.dat"))


def test_ioh_says_itself_whether_it_maximizes(tmp_path):
    text = "evaluations raw_y\n1 8.0\n2 3.0\n3 9.0\n"
    path = write(tmp_path, text, "data_f1/IOHprofiler_f1_DIM16.dat")
    assert read(path).frame["loss"].tolist() == [8, 3, 9]
    told = {"maximization": True, "scenarios": [{"path": "data_f1/IOHprofiler_f1_DIM16.dat"}]}
    write(tmp_path, json.dumps(told), "IOHprofiler_f1.json")
    with pytest.raises(ReadingError, match="give --optimum"):
        read(path)
    assert read(path, optimum=10).frame["loss"].tolist() == [2, 7, 1]


def test_targets_of_coco_are_told_apart():
    assert coco._passes(1.1, 0.9, 5)
    assert not coco._passes(0.9, 0.8, 5)
    assert coco._passes(0.9, 0.8, 100)
    assert not coco._passes(0.8, 0.8, 100)
