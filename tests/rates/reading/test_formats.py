"""Readers of what programs write. Samples by hand have the shape of the versions named."""

import csv
import json

import numpy as np
import pandas as pd
import pytest

from motsim.rates.reading import ReadingError, read
from tests.rates.reading.files import write
from tests.rates.reading.tables import said


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
