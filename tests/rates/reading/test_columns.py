"""Readers: which columns are the loss and the step, and when that is refused."""

import numpy as np
import pytest

from motsim.rates.reading import ReadingError, read
from tests.rates.reading.tables import curve, pairs, said, table


def test_a_plain_file_is_one_run(tmp_path):
    path = table(tmp_path, "step,loss", [(t, curve(t)) for t in range(5)])
    curves = read(path)
    assert pairs(curves) == {("", "curves"): 5}
    assert curves.frame["loss"].tolist() == [curve(t) for t in range(5)]
    assert curves.frame["row"].tolist() == [2, 3, 4, 5, 6]
    assert curves.frame.dtypes.astype(str).to_dict() == {
        "run": "category",
        "group": "category",
        "step": "float64",
        "loss": "float64",
        "logged": "bool",
        "row": "int64",
    }
    assert (curves.loss_column, curves.step_column, curves.run_columns) == ("loss", "step", ())
    assert curves.kind == "csv"
    assert repr(curves) == "<Curves: 1 of 5 rows, 'loss', csv>"


def test_the_guess_of_a_loss_names_the_others(tmp_path):
    rows = [(t, curve(t), curve(t, 1.0)) for t in range(4)]
    path = table(tmp_path, "epoch,train_loss,test_loss", rows)
    assert said(read(path), "train_loss", "test_loss", "--loss")
    assert read(path, loss="test_loss").frame["loss"].tolist() == [curve(t, 1.0) for t in range(4)]
    assert not said(read(path, loss="test_loss"), "Loss column")


def test_a_column_of_the_wrong_case_is_found_and_an_unknown_one_is_not(tmp_path):
    path = table(tmp_path, "Step,Train_Loss", [(1, 2.0), (2, 1.0)])
    assert read(path, loss="train_loss").loss_column == "Train_Loss"
    with pytest.raises(ReadingError, match=r"no column 'trian_loss'.*did you mean 'Train_Loss'"):
        read(path, loss="trian_loss")


def test_losses_of_equal_rank_are_refused(tmp_path):
    path = table(tmp_path, "step,pde_loss,boundary_loss", [(1, 2, 3), (2, 1, 2)])
    with pytest.raises(ReadingError, match="name one of pde_loss, boundary_loss with --loss"):
        read(path)
    assert read(path, loss="pde_loss").frame["loss"].tolist() == [2, 1]


def test_falling_steps_are_refused_by_row(tmp_path):
    path = table(tmp_path, "step,loss", [(0, 3.0), (10, 2.0), (5, 1.0)])
    with pytest.raises(ReadingError, match="row 4: step falls from 10 to 5"):
        read(path)


def test_a_step_that_is_logged_again_keeps_its_last_loss(tmp_path):
    rows = [(t, curve(t)) for t in range(400)] + [(399, 7.0)]
    curves = read(table(tmp_path, "step,loss", rows))
    assert len(curves.frame) == 400
    assert curves.frame["loss"].iloc[-1] == 7.0
    assert said(curves, "1 of 401 rows", "another loss", "row 402")


def test_losses_and_validation_on_rows_of_their_own(tmp_path):
    rows = []
    for study in range(2):
        for t in range(10):
            rows.append((study, t, curve(t, study), ""))
        rows.append((study, 9, "", 0.5))
    path = table(tmp_path, "study,global_step,loss,validation/loss", rows)
    curves = read(path)
    assert pairs(curves) == {("", "0"): 10, ("", "1"): 10}
    assert not curves.frame["loss"].isna().any()
    assert said(curves, "No loss in 2 of 22 rows")
    other = read(path, loss="validation/loss").frame
    assert other["loss"].dropna().tolist() == [0.5, 0.5]
    assert not other["logged"][other["loss"].isna()].any()


def test_any_number_is_a_step(tmp_path):
    steps = [0.5, 1.5, 2.7, 1e18, 1e20]
    path = table(tmp_path, "flops,loss", [(t, i) for i, t in enumerate(steps)])
    assert read(path).frame["step"].tolist() == steps


def test_a_row_with_a_loss_needs_a_step(tmp_path):
    with pytest.raises(ReadingError, match="row 3, column 'step' is empty"):
        read(table(tmp_path, "step,loss", [(0, 3.0), ("", 2.0), (5, 1.0)]))
    rows = [(0, 3.0), ("", ""), (5, 1.0)]  # negative control: nothing was logged there
    assert read(table(tmp_path, "step,loss", rows)).frame["step"].tolist() == [0, 5]


def test_where_lists_the_values_there_are(tmp_path):
    rows = [(name, t, curve(t)) for name in ("adam", "sgd") for t in range(3)]
    path = table(tmp_path, "optimizer,step,loss", rows)
    with pytest.raises(ReadingError, match="no row has optimizer=adma; did you mean 'adam'"):
        read(path, where={"optimizer": "adma"})
    with pytest.raises(ReadingError, match="write it as column=value"):
        read(path, where=["optimizer"])
    with pytest.raises(ReadingError, match=r"no column 'optimiser' \(for --where\)"):
        read(path, where=["optimiser=adam"])
    assert len(read(path, where=["optimizer=adam", "optimizer=sgd"]).frame) == 6


def test_where_compares_numbers_as_numbers(tmp_path):
    rows = [(lr, t, curve(t)) for lr in ("0.10", "1e-2") for t in range(3)]
    path = table(tmp_path, "lr,step,loss", rows)
    assert read(path, where=["lr=0.01"]).frame["row"].tolist() == [5, 6, 7]


def test_times_to_one_target_are_no_curves(tmp_path):
    rows = [("small", 2, run, 20 * (50 + run % 7)) for run in range(20)]
    rows += [("large", 16, run, 12288 * (7 + run % 2)) for run in range(20)]
    path = table(tmp_path, "benchmark,batch_size,run,epochs_to_converge", rows)
    with pytest.raises(ReadingError) as caught:
        read(path)
    text = str(caught.value)
    assert "times to one accuracy give no law" in text
    assert "20 runs, 7 distinct, all multiples of 20" in text
    assert "20 runs, 2 distinct, all multiples of 12,288" in text
    assert "\n" not in text
    # negative control: with a column of steps these are curves
    rows = [(run, t, 20 * (50 + run - t)) for run in range(2) for t in range(3)]
    path = table(tmp_path, "run,step,epochs_to_converge", rows)
    assert len(read(path, loss="epochs_to_converge").frame) == 6


def test_a_rising_value_is_a_distance_to_its_optimum(tmp_path):
    best = {0: [60, 80, 99, 100], 1: [55, 90, 98, 100], 2: [61, 70, 99, 100]}
    steps = [1, 10, 150, 420]
    rows = [(run, t, f) for run, values in best.items() for t, f in zip(steps, values, strict=True)]
    curves = read(table(tmp_path, "run,evaluations,best_f", rows))
    assert curves.frame["loss"].tolist() == [100 - f for values in best.values() for f in values]
    assert said(curves, "3 of 3 runs reach exactly 100")
    assert said(curves, "improvements only")
    given = read(table(tmp_path, "run,evaluations,best_f", rows), optimum=128)
    assert given.frame["loss"].min() == 28
    with pytest.raises(ReadingError, match=r"row 5, column 'best_f': 100 is above the optimum 99"):
        read(table(tmp_path, "run,evaluations,best_f", rows), optimum=99)


def test_an_optimum_that_no_two_runs_reach_must_be_given(tmp_path):
    rows = [(run, t, 0.1 * t + 0.01 * run) for run in range(3) for t in range(5)]
    path = table(tmp_path, "run,step,accuracy", rows)
    with pytest.raises(ReadingError, match=r"accuracy rises.*give --optimum \(the best of 3 runs"):
        read(path)
    assert read(path, optimum=1.0).frame["loss"].max() == pytest.approx(1.0)


def test_a_loss_that_rises_has_diverged_and_is_no_value_to_maximize(tmp_path):
    rows = [(run, t, 2.0**t) for run in range(3) for t in range(5)]
    frame = read(table(tmp_path, "run,step,loss", rows)).frame
    assert frame["loss"].iloc[:5].tolist() == [1, 2, 4, 8, 16]


def test_gaps_between_rows_are_said(tmp_path):
    path = table(tmp_path, "step,loss", [(t, curve(t)) for t in range(0, 1000, 50)])
    assert said(read(path), "50 step apart")
    every = table(tmp_path, "step,loss", [(t, curve(t)) for t in range(50)])
    assert not said(read(every), "apart")


def test_runs_that_turn_into_empty_cells_count_as_nan(tmp_path):
    rows = [(run, t, curve(t) if t < 6 else "") for run in range(2) for t in range(10)]
    curves = read(table(tmp_path, "run,step,loss", rows))
    frame = curves.frame
    assert frame["logged"].all()
    assert int(frame["loss"].isna().sum()) == 8
    assert said(curves, "2 of 2 runs", "8 cells count as NaN")
    # negative control: cells that are empty in between were not logged
    rows = [(run, t, curve(t) if t % 5 == 0 else "") for run in range(2) for t in range(10)]
    frame = read(table(tmp_path, "run,step,loss", rows)).frame
    assert np.array_equal(frame["logged"], frame["step"] % 5 == 0)
