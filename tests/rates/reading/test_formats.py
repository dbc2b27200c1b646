"""Readers of what programs write. Samples by hand have the shape of the versions named."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from motsim.rates.reading import ReadingError, coco, read


def write(tmp_path, text, name):
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def said(curves, *words):
    return any(all(word in note for word in words) for note in curves.notes)


def lightning(epochs=6, every=50):
    """Rows as CSVLogger of Lightning 2.6 writes them: keys sorted, one kind of value a row."""
    keys = ["epoch", "step", "train_loss_epoch", "train_loss_step", "val_loss"]
    lines = [",".join(keys)]
    for epoch in range(epochs):
        for step in range(every, 200, every):
            lines.append(f"{epoch},{200 * epoch + step - 1},,{1 / (1 + epoch)!r},")
        last = 200 * epoch + 199
        lines.append(f"{epoch},{last},,,{2 / (1 + epoch)!r}")  # validation comes first
        lines.append(f"{epoch},{last},{1.5 / (1 + epoch)!r},,")
    return "\n".join(lines) + "\n"


def test_lightning_metrics(tmp_path):
    path = write(tmp_path, lightning(), "metrics.csv")
    curves = read(path)
    assert (curves.kind, curves.loss_column, curves.step_column) == (
        "lightning",
        "train_loss_epoch",
        "step",
    )
    logged = curves.frame[curves.frame["logged"]]
    assert logged["step"].tolist() == [200 * e + 199 for e in range(6)]
    assert logged["loss"].tolist() == [1.5 / (1 + e) for e in range(6)]
    assert said(curves, "No train_loss_epoch in 24 of 30 rows")
    assert said(curves, "comes again in 6 of 30 rows")
    assert said(curves, "200 step apart")
    val = read(path, loss="val_loss").frame
    assert val["loss"].dropna().tolist() == [2 / (1 + e) for e in range(6)]
    # negative control: two runs in one file are not two kinds of row
    with pytest.raises(ReadingError, match="step falls from 1199 to 199"):
        read(write(tmp_path, lightning() + lightning().split("\n", 1)[1], "metrics.csv"))


def keras(losses, evaluate=2):
    """Rows as CSVLogger of Keras 3.15 appends them: NA where nothing was evaluated."""
    lines = []
    for epoch, loss in enumerate(losses):
        val = [repr(0.5), repr(loss + 0.1)] if epoch % evaluate == evaluate - 1 else ["NA", "NA"]
        lines.append(",".join([str(epoch), repr(0.1), repr(loss), *val]))
    return "\n".join(lines) + "\n"


KERAS = "epoch,accuracy,loss,val_accuracy,val_loss\n"


def test_keras_log(tmp_path):
    path = write(tmp_path, KERAS + keras([2.0, 1.0, 0.5, 0.25]), "log.csv")
    curves = read(path)
    assert curves.kind == "keras"
    assert curves.frame["loss"].tolist() == [2.0, 1.0, 0.5, 0.25]
    val = read(path, loss="val_loss").frame
    assert val["loss"].dropna().tolist() == [1.1, 0.35]
    assert val["logged"].tolist() == [False, True, False, True]


def test_keras_epochs_that_start_again(tmp_path):
    on = write(tmp_path, KERAS + keras([2.0, 1.0]) + keras([0.9, 0.5, 0.4]), "on.csv")
    curves = read(on)
    assert curves.frame["step"].tolist() == [0, 1, 2, 3, 4]
    assert said(curves, "row 4", "counted on")
    anew = write(tmp_path, KERAS + keras([2.0, 1.0, 0.5]) + keras([2.1, 1.1, 0.6]), "anew.csv")
    curves = read(anew)
    assert curves.frame["run"].tolist() == ["1"] * 3 + ["2"] * 3
    assert curves.frame["step"].tolist() == [0, 1, 2, 0, 1, 2]
    assert said(curves, "row 5", "new runs")
    rows = KERAS + keras([2.0, 1.0, 0.5]) + keras([2.1, 0.9]).split("\n", 1)[1]
    with pytest.raises(ReadingError, match="row 5: epoch falls from 2 to 1, as after a checkpoint"):
        read(write(tmp_path, rows, "back.csv"))


HISTORY = {"loss": [2.0, 1.0, 0.5], "accuracy": [0.1, 0.2, 0.3], "val_loss": [2.5, 1.5, 0.7]}


@pytest.mark.parametrize("indent", [None, 1])
def test_keras_history(tmp_path, indent):
    # json.dump(model.fit(...).history) of Keras 3.15
    path = write(tmp_path, json.dumps(HISTORY, indent=indent), "history.json")
    curves = read(path)
    assert (curves.kind, curves.loss_column, curves.step_column) == ("keras", "loss", "epoch")
    assert curves.frame["step"].tolist() == [0, 1, 2]
    assert curves.frame["loss"].tolist() == HISTORY["loss"]
    assert said(curves, "as Keras' history holds them", "epochs 0 to 2", "mean over the epoch")
    assert read(path, loss="val_loss").frame["loss"].tolist() == HISTORY["val_loss"]
    # control: a column of steps is one, and is no epoch
    steps = {"step": [10, 20, 30], **HISTORY}
    curves = read(write(tmp_path, json.dumps(steps, indent=indent), "history.json"))
    assert (curves.kind, curves.step_column) == ("json lines", "step")
    assert curves.frame["step"].tolist() == [10, 20, 30]
    assert not said(curves, "Keras")


def test_keras_history_as_pandas_writes_it(tmp_path):
    frame = pd.DataFrame(HISTORY)
    frame.to_json(tmp_path / "history.json")
    frame.to_csv(tmp_path / "history.csv")
    for data in (tmp_path / "history.json", tmp_path / "history.csv", frame):
        curves = read(data)
        assert (curves.loss_column, curves.step_column) == ("loss", "row")
        assert curves.frame["step"].tolist() == [0, 1, 2]
        assert curves.frame["loss"].tolist() == HISTORY["loss"]
        assert said(curves, "No step column: rows 0 to 2 are the steps")


def test_lists_of_runs_are_wide(tmp_path):
    runs = {f"run_{k}": [2.0, 1.0 + k, None] for k in range(2)}
    curves = read(write(tmp_path, json.dumps(runs), "runs.json"))
    assert curves.frame["run"].tolist() == ["run_0"] * 3 + ["run_1"] * 3
    assert curves.frame["step"].tolist() == [0, 1, 2] * 2
    np.testing.assert_array_equal(curves.frame["loss"], [2, 1, np.nan, 2, 2, np.nan])


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (HISTORY | {"val_loss": [2.5]}, "unequal length: loss (3), accuracy (3), val_loss (1);"),
        (HISTORY | {"name": "adam"}, "key 'name' holds 'adam', no list"),
        (HISTORY | {"config": {"lr": 1}}, "key 'config' holds an object, no list"),
        ({"params": 3, "history": HISTORY}, "'history' holds an object of lists (loss, accuracy,"),
        ({"loss": []}, "lists without values (loss)"),
        ({"loss": 3}, "JSON without rows; give one object a line, a list of objects, an object of"),
    ],
)
@pytest.mark.parametrize("indent", [None, 1])
def test_objects_that_are_no_history_are_refused(tmp_path, told, message, indent):
    path = write(tmp_path, json.dumps(told, indent=indent), "history.json")
    with pytest.raises(ReadingError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_wandb_chart_export(tmp_path):
    # the export of a chart, W&B 0.31: one column a run, and its band
    names = ["lr 0.1 - a - loss", "b-2 - loss"]
    header = ["Step", *(f"{name}{band}" for name in names for band in ("", "__MIN", "__MAX"))]
    rows = [["0", "1.0", "1.0", "1.0", "", "", ""], ["9", "0.5", "0.4", "0.6", "0.9", "0.9", "0.9"]]
    path = tmp_path / "wandb_export.csv"
    with path.open("w", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    curves = read(path)
    assert curves.kind == "wandb"
    assert curves.loss_column == "loss"
    assert curves.frame["run"].tolist() == ["lr 0.1 - a", "lr 0.1 - a", "b-2"]
    assert curves.frame["loss"].tolist() == [1.0, 0.5, 0.9]
    assert said(curves, "500")
    with pytest.raises(ReadingError, match=r"no metric 'los'.*did you mean 'loss'"):
        read(path, loss="los")


def test_wandb_history():
    # run.history() of W&B 0.31
    steps = np.sort(np.random.default_rng(1).choice(9000, 500, replace=False))
    frame = pd.DataFrame({"_step": steps, "_runtime": steps / 10, "_timestamp": steps + 1e9})
    curves = read(frame.assign(loss=1.0 / (1 + steps)))
    assert (curves.kind, curves.step_column) == ("wandb", "_step")
    assert said(curves, "others at each call", "scan_history()")
    assert read(frame.drop(columns=["_runtime", "_timestamp"]).assign(loss=1.0)).kind == "frame"


def test_tensorboard_export(tmp_path):
    # the page's CSV of one tag, TensorBoard 2.21
    steps = np.sort(np.random.default_rng(2).choice(np.arange(4, 5000), 1000, replace=False))
    text = "Wall time,Step,Value\n" + "".join(
        f"1.7e9,{t},{1 / (1 + t)!r}\n" for t in steps.tolist()
    )
    curves = read(write(tmp_path, text, "run-a-tag-loss.csv"))
    assert (curves.kind, curves.loss_column, curves.step_column) == ("tensorboard", "Value", "Step")
    assert said(curves, "at most 1,000 points", "not the first steps")
    short = write(tmp_path, "\n".join(text.split("\n")[:100]), "run-b-tag-loss.csv")
    assert said(read(short), "nothing was thinned")


def test_tensorboard_events(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    for run in ("a", "b"):
        writer = EventFileWriter(str(tmp_path / run))
        for step in range(3000):
            values = [
                Summary.Value(tag="train/loss", simple_value=1 / (1 + step)),
                Summary.Value(tag="accuracy", simple_value=0.5),
            ]
            writer.add_event(Event(step=step, wall_time=step, summary=Summary(value=values)))
        writer.close()
    curves = read(tmp_path)
    assert (curves.kind, curves.loss_column) == ("tensorboard", "train/loss")
    assert curves.frame.groupby("run", observed=True).size().to_dict() == {"a": 3000, "b": 3000}
    np.testing.assert_allclose(curves.frame["loss"][:3000], 1 / (1 + np.arange(3000)), rtol=1e-6)
    one = read(next((tmp_path / "b").iterdir()), loss="accuracy")
    assert set(one.frame["loss"]) == {0.5}
    with pytest.raises(ReadingError, match=r"no tag 'acuracy'.*did you mean 'accuracy'"):
        read(tmp_path, loss="acuracy")


def test_events_without_their_library_are_refused(tmp_path, monkeypatch):
    from motsim.rates.reading import tensorboard

    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    (tmp_path / "events.out.tfevents.1.host.2.0").write_bytes(
        b"\x18" + b"\0" * 23 + b"brain.Event:2"
    )
    with pytest.raises(ReadingError, match="pip install tensorboard"):
        read(tmp_path)


def test_trainer_state(tmp_path):
    # transformers 5.24: evaluation and the summary are entries of their own
    history = []
    for step in range(10, 60, 10):
        history.append({"epoch": step / 50, "grad_norm": 1.0, "loss": 50 / step, "step": step})
        if step % 20 == 0:
            history.append({"epoch": step / 50, "eval_loss": 60 / step, "step": step})
    history.append({"epoch": 1.0, "step": 50, "train_loss": 2.2, "train_runtime": 9.0})
    state = {"epoch": 1.0, "global_step": 50, "logging_steps": 10, "log_history": history}
    path = write(tmp_path, json.dumps(state, indent=2), "trainer_state.json")
    curves = read(path)
    assert curves.kind == "trainer_state"
    assert curves.frame["step"].tolist() == [10, 20, 30, 40, 50]
    assert curves.frame["loss"].tolist() == [5.0, 2.5, 50 / 30, 1.25, 1.0]
    assert said(curves, "mean over the steps since the last entry (10 steps)")
    with pytest.raises(ReadingError, match="no column 'train_loss'"):  # one value, no curve
        read(path, loss="train_loss")
    with pytest.raises(ReadingError, match="JSON without rows"):
        read(write(tmp_path, json.dumps({"log_history": 3}, indent=1), "trainer_state.json"))


def test_json_lines(tmp_path):
    lines = ['{"step": 1, "train": {"loss": 4.0}}', "", '{"step": 2, "val_loss": 3.0}']
    lines += ['{"step": 3, "train": {"loss": NaN}}', '{"step": 4, "train": {"loss": Infinity}}']
    lines += ['{"step": 5, "train": {"loss": null}}']
    curves = read(write(tmp_path, "\n".join(lines), "log.jsonl"))
    assert (curves.kind, curves.loss_column) == ("json lines", "train/loss")
    assert curves.frame["logged"].tolist() == [True, False, True, True, False]
    np.testing.assert_array_equal(curves.frame["loss"], [4, np.nan, np.nan, np.inf, np.nan])
    assert curves.frame["row"].tolist() == [1, 3, 4, 5, 6]
    with pytest.raises(ReadingError, match=r"row 6: .* is no JSON object"):
        read(write(tmp_path, "\n".join(lines)[:-18], "log.jsonl"))
    with pytest.raises(ReadingError, match="row 2, column 'loss': 'low' is not a number"):
        read(write(tmp_path, '{"step": 1, "loss": 2}\n{"step": 2, "loss": "low"}', "log.jsonl"))


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


def test_parquet(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table(
        {
            "optimizer": pyarrow.array(["a", "a", "a", "b", "b", "b"]).dictionary_encode(),
            "step": [1, 2, 3, 1, 2, 3],
            "loss": pyarrow.array([3.0, None, 1.0, 4.0, float("nan"), float("inf")]),
        }
    )
    path = tmp_path / "curves.parquet"
    parquet.write_table(table, path)
    curves = read(path)
    assert curves.kind == "parquet"
    assert curves.frame["logged"].tolist() == [True, False, True, True, True, True]
    np.testing.assert_array_equal(curves.frame["loss"], [3, np.nan, 1, 4, np.nan, np.inf])
    assert list(curves.frame["group"].unique()) == ["optimizer=a", "optimizer=b"]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(ReadingError, match="no readable Parquet"):
        read(path)


def test_parquet_without_pyarrow_is_refused(tmp_path, monkeypatch):
    from motsim.rates.reading import parquet

    monkeypatch.setattr(parquet, "find_spec", lambda name: None)
    (tmp_path / "curves.parquet").write_bytes(b"PAR1" + b"\0" * 20)
    with pytest.raises(ReadingError, match='pip install "pyarrow"'):
        read(tmp_path / "curves.parquet")


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
