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
