"""Readers: which columns are runs and methods, and when that is refused."""

import pytest

from motsim.rates.reading import ReadingError, read
from tests.rates.reading.tables import curve, pairs, said, table


def test_seeds_are_runs(tmp_path):
    rows = [(s, t, curve(t, s)) for s in range(3) for t in range(4)]
    curves = read(table(tmp_path, "seed,step,loss", rows))
    assert pairs(curves) == {("", "0"): 4, ("", "1"): 4, ("", "2"): 4}
    assert curves.run_columns == ("seed",)


def test_rows_of_runs_may_alternate(tmp_path):
    rows = [(s, t, curve(t, s)) for t in range(4) for s in range(3)]
    curves = read(table(tmp_path, "seed,step,loss", rows))
    one = curves.frame[curves.frame["run"] == "1"]
    assert one["loss"].tolist() == [curve(t, 1) for t in range(4)]
    assert one["row"].tolist() == [3, 6, 9, 12]


def test_methods_are_groups_and_not_seeds(tmp_path):
    rows = [
        (name, lr, seed, t, curve(t, lr + seed))
        for name, lr in (("Adam", 0.1), ("SGD", 1.0))
        for seed in range(3)
        for t in range(4)
    ]
    path = table(tmp_path, "optimizer,lr,seed,epoch,loss", rows)
    curves = read(path)
    assert set(pairs(curves)) == {
        (f"optimizer={name}", str(seed)) for name in ("Adam", "SGD") for seed in range(3)
    }
    assert said(curves, "2 groups", "optimizer")
    one = read(path, where=["optimizer=SGD"])
    assert set(pairs(one)) == {("", "0"), ("", "1"), ("", "2")}  # nothing left that differs
    both = read(path, run=["optimizer", "seed"])  # who names it as a run has it as a run
    assert {group for group, _ in pairs(both)} == {""}
    assert len(pairs(both)) == 6


def test_model_sizes_are_groups_though_they_are_numbers(tmp_path):
    rows = [
        (size, plan, t, 3e-4 * (1 - t / 9), curve(t, size))
        for size in (25, 100)
        for plan in ("constant", "cosine")
        for t in range(5)
    ]
    curves = read(table(tmp_path, "model_millions,schedule,step,lr,loss", rows))
    assert set(pairs(curves)) == {
        (f"schedule={plan}, model_millions={size}", "curves")
        for size in (25, 100)
        for plan in ("constant", "cosine")
    }
    assert said(curves, "each group is one run")


def test_settings_that_differ_between_runs_make_groups(tmp_path):
    rows = [(run, 0.1 * (1 + run // 2), t, curve(t, run)) for run in range(4) for t in range(4)]
    curves = read(table(tmp_path, "run,lr,step,loss", rows))
    assert list(pairs(curves)) == [
        ("lr=0.1", "0"),
        ("lr=0.1", "1"),
        ("lr=0.2", "2"),
        ("lr=0.2", "3"),
    ]
    # negative control: a learning rate that changes along the run is a schedule
    rows = [(run, 0.1 / (1 + t), t, curve(t, run)) for run in range(4) for t in range(4)]
    assert {group for group, _ in pairs(read(table(tmp_path, "run,lr,step,loss", rows)))} == {""}


def test_how_a_run_ended_makes_no_group(tmp_path):
    rows = [(run, "ok" if run else "crashed", t, curve(t, run)) for run in range(3) for t in (0, 1)]
    path = table(tmp_path, "run,status,step,loss", rows)
    assert {group for group, _ in pairs(read(path))} == {""}
    assert said(read(path), "status", "--by")
    assert len({group for group, _ in pairs(read(path, by="status"))}) == 2


def test_a_column_that_every_run_has_its_own_of_is_its_name(tmp_path):
    rows = [(s, f"host-{s}", t, curve(t, s)) for s in range(3) for t in range(3)]
    assert set(pairs(read(table(tmp_path, "seed,place,step,loss", rows)))) == {
        ("", "0"),
        ("", "1"),
        ("", "2"),
    }


def test_two_columns_that_count_runs_differently_are_refused(tmp_path):
    rows = [(s, r, t, curve(t, s + r)) for s in range(2) for r in range(3) for t in range(4)]
    path = table(tmp_path, "seed,trial,step,loss", rows)
    with pytest.raises(ReadingError, match=r"seed \(2\), trial \(3\).*6 together.*--by trial"):
        read(path)
    assert len(pairs(read(path, run=["seed", "trial"]))) == 6
    assert set(pairs(read(path, run="seed", by="trial"))) == {
        (f"trial={r}", str(s)) for s in range(2) for r in range(3)
    }
    # negative control: one that never changes leaves one reading
    rows = [(s, 1, t, curve(t, s)) for s in range(2) for t in range(4)]
    assert read(table(tmp_path, "seed,trial,step,loss", rows)).run_columns == ("seed",)


def test_rows_told_apart_by_an_unknown_column_are_refused_with_the_option(tmp_path):
    rows = [(t, curve(t, k), k) for k in range(2) for t in range(4)]
    path = table(tmp_path, "step,loss,lam", rows)
    with pytest.raises(ReadingError, match=r"row 6: step falls from 3 to 0; lam \(2 values\)"):
        read(path)
    assert set(pairs(read(path, by="lam"))) == {("lam=0", "curves"), ("lam=1", "curves")}
    assert set(pairs(read(path, run="lam"))) == {("", "0"), ("", "1")}


def test_mixed_rows_that_alternate_are_refused(tmp_path):
    rows = [(t, curve(t, k)) for t in range(40) for k in range(2)]
    with pytest.raises(ReadingError, match="row 3: step 0 comes again with another loss"):
        read(table(tmp_path, "step,loss", rows))


def test_naming_too_few_run_columns_is_refused(tmp_path):
    rows = [(s, r, t, curve(t, s + r)) for s in range(2) for r in range(3) for t in range(4)]
    path = table(tmp_path, "seed,trial,step,loss", rows)
    with pytest.raises(ReadingError, match=r"falls from 3 to 0 within seed 0.*--run seed trial"):
        read(path, run="seed")


@pytest.mark.parametrize("option", ["run", "by"])
def test_a_step_or_a_loss_names_no_runs(tmp_path, option):
    rows = [(s, t, curve(t, s)) for s in range(3) for t in range(9)]
    path = table(tmp_path, "seed,step,loss", rows)
    for column in ("step", "loss"):
        with pytest.raises(ReadingError) as caught:
            read(path, **{option: column})
        assert str(caught.value) == (
            f"{path}: column '{column}' (for --{option}) holds the {column}, which changes along a"
            " run; did you mean seed (3 values)?"
        )
    with pytest.raises(ReadingError, match=r"'loss' .* holds the loss, .* did you mean seed"):
        read(path, loss="loss", **{option: "loss"})
    # control: where there is another step, an epoch may tell runs apart
    rows = [(e, 10 * e + t, curve(t, e)) for e in range(3) for t in range(9)]
    epochs = read(table(tmp_path, "epoch,step,loss", rows), **{option: "epoch"})
    assert len(pairs(epochs)) == 3


@pytest.mark.parametrize("size", [40, 30_000])
def test_a_column_with_a_value_a_row_names_no_runs(tmp_path, size):
    rows = [(i, i % 4, i // 4, curve(i // 4, i % 4)) for i in range(size)]
    path = table(tmp_path, "k,seed,step,loss", rows)
    count = f"{size:,}" if size <= 20_000 else "more than 20,000"
    for option, what in (("run", "run"), ("by", "group")):
        with pytest.raises(ReadingError) as caught:
            read(path, **{option: "k"})
        assert str(caught.value) == (
            f"{path}: column 'k' (for --{option}) has {count} values in {size:,} rows: each {what}"
            " would have one row; did you mean seed (4 values)?"
        )
    assert len(pairs(read(path, run="seed"))) == 4
    alone = table(tmp_path, "k,step,loss", [(i, i, curve(i)) for i in range(size)])
    with pytest.raises(ReadingError, match="no other column can name runs: leave --run out"):
        read(alone, run="k")


def test_a_key_of_rows_is_no_run_though_it_is_called_id(tmp_path):
    rows = [(i, i % 4, i // 4, curve(i // 4, i % 4)) for i in range(40)]
    curves = read(table(tmp_path, "id,seed,step,loss", rows))
    assert pairs(curves) == {("", str(s)): 10 for s in range(4)}
    assert said(curves, "Almost each row has its own id")
    with pytest.raises(ReadingError, match="step 0 comes again") as caught:
        read(table(tmp_path, "id,step,loss", [(row[0], *row[2:]) for row in rows]))
    assert "--run id" not in str(caught.value)
    # control: an id of runs
    rows = [(i // 10, i % 10, curve(i % 10)) for i in range(40)]
    assert len(pairs(read(table(tmp_path, "id,step,loss", rows)))) == 4
