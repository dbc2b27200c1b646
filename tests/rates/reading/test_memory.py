"""Readers of data in memory: long and wide frames, arrays."""

import numpy as np
import pandas as pd
import pytest

from motsim.rates.reading import ReadingError, read


def test_long_frames():
    frame = pd.DataFrame({"seed": [0, 0, 1, 1], "step": [1, 2, 1, 2], "loss": [4.0, 3.0, 2.0, 1.0]})
    curves = read(frame)
    assert curves.kind == "frame"
    assert curves.frame["run"].tolist() == ["0", "0", "1", "1"]
    assert curves.frame["row"].tolist() == [1, 2, 3, 4]
    indexed = read(frame.set_index(["seed", "step"]))
    assert indexed.frame["loss"].tolist() == [4.0, 3.0, 2.0, 1.0]


def test_the_frame_that_was_given_is_left_as_it_was():
    frame = pd.DataFrame({"step": [1, 1, 2], "loss": [4.0, np.nan, 2.0]})
    before = frame.copy()
    read(frame)
    assert frame.equals(before)


def test_wide_frames_have_steps_in_their_index():
    frame = pd.DataFrame({"a": [3.0, 2.0, np.nan], "b": [3.0, 2.5, 1.0]}, index=[10, 20, 40])
    curves = read(frame)
    assert curves.kind == "wide"
    assert curves.frame["run"].tolist() == ["a", "a", "a", "b", "b", "b"]
    assert curves.frame["loss"].isna().tolist() == [False, False, True, False, False, False]
    assert curves.frame["step"].tolist() == [10, 20, 40] * 2
    with pytest.raises(ReadingError, match="row 3: step falls from 20 to 15"):
        read(frame.set_axis([10, 20, 15]))


def test_one_column_beside_the_step_is_one_run():
    loss, steps = [3.0, 2.0, 1.0], [10, 20, 40]
    frame = pd.DataFrame({"run_0": loss}, index=steps)
    wide = [frame, frame.rename_axis("step"), frame["run_0"], pd.Series(loss, steps)]
    long = [frame.rename(columns={"run_0": "loss"}), frame.rename_axis("step").reset_index()]
    for data in (*wide, *long):
        curves = read(data)
        assert curves.frame["step"].tolist() == steps
        assert curves.frame["loss"].tolist() == loss
        assert len(curves.frame["run"].unique()) == 1
    assert "1 run, one a column." in read(frame).notes
    # control: a column of text has no loss
    with pytest.raises(ReadingError, match="no column looks like a step"):
        read(frame.astype(str).replace("3.0", "x"))


def test_quantities_of_one_run_are_no_runs():
    frame = pd.DataFrame({"loss": [3.0, 2.0], "val_loss": [4.0, 3.0], "seed": [0, 0]})
    curves = read(frame)
    assert curves.frame["loss"].tolist() == [3.0, 2.0]
    assert curves.frame["step"].tolist() == [0, 1]
    assert read(frame.rename_axis("epoch")).step_column == "epoch"
    assert read(frame.rename_axis("x")).step_column == "x"
    assert read(frame, loss="val_loss").frame["loss"].tolist() == [4.0, 3.0]
    # control: names that say nothing of a loss are runs
    wide = read(frame.set_axis(["a", "b", "c"], axis=1))
    assert list(wide.frame["run"].unique()) == ["a", "b", "c"]


def test_arrays_have_runs_in_their_columns():
    array = np.array([[3.0, 4.0, 5.0], [2.0, 3.0, 4.0], [1.0, 2.0, 3.0]])
    curves = read(array)
    assert curves.frame["step"].tolist() == [0, 1, 2] * 3
    assert curves.frame["loss"].tolist() == array.T.ravel().tolist()
    with pytest.raises(ReadingError, match="transpose it"):
        read(array[:2])
    with pytest.raises(ReadingError, match="two columns, the first rises"):
        read(np.array([[1.0, 9.0], [2.0, 8.0], [3.0, 7.0]]))


def test_text_in_a_frame_is_named_by_row():
    frame = pd.DataFrame({"step": [1, 2, 3], "loss": ["3", "oops", 1]})
    with pytest.raises(ReadingError, match="data: row 2, column 'loss': 'oops' is not a number"):
        read(frame)
    good = read(frame.replace("oops", "nan")).frame
    assert good["logged"].tolist() == [True, True, True]
    assert good["loss"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (3, "int is no table"),
        ([], "no file given"),
        ([1.0, 2.0], "1 dimension"),
        (np.zeros((2, 2, 2)), "3 dimensions"),
        (np.zeros((0, 2)), "empty"),
        (pd.DataFrame(), "an empty frame"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), "no column looks like a step"),
        (pd.DataFrame([[1, 2]], columns=["loss", "loss"]), "two columns are called 'loss'"),
    ],
)
def test_refusals(data, message):
    with pytest.raises(ReadingError, match=message):
        read(data)
