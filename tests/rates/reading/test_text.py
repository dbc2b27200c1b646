"""Readers of delimited text: separators, comments, empty cells, blocks, and lines of refusals."""

import gzip
import os

import numpy as np
import pytest

from motsim.rates.reading import ReadingError, delimited, read


def write(tmp_path, text, name="curves.csv"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "step,loss\n1,0.5\n20,0.25\n",
        "step\tloss\n1\t0.5\n20\t0.25\n",
        "step;loss\n1;0.5\n20;0.25\n",
        "step;loss\n1;0,5\n20;0,25\n",
        "step loss\n1 0.5\n20 0.25\n",
        "  step    loss\n  1     0.5\n 20  0.25\n",
        "# made by hand\nstep,loss\n1,0.5\n% a remark\n\n20,0.25\n",
        "# step loss\n1.0e+00 5.0e-01\n2.0e+01 2.5e-01\n",
        "step,loss\r\n1,0.5\r\n20,0.25\r\n",
        "\ufeffstep,loss\n1,0.5\n20,0.25",
        '"step","loss"\n"1","0.5"\n"20","0.25"\n',
        "step, loss\n1, 0.5 \n20, 0.25 \n",
        "1,0.5\n20,0.25\n",
        "loss,step,note\n0.5,1,\n0.25,20,\n",
    ],
)
def test_layouts(tmp_path, text):
    frame = read(write(tmp_path, text)).frame
    assert frame["step"].tolist() == [1, 20]
    assert frame["loss"].tolist() == [0.5, 0.25]


def test_rows_are_lines_of_the_file(tmp_path):
    text = '# a\nstep,note,loss\n1,"two\nlines",0.5\n\n# b\n2,x,0.25\n3,x,oops\n'
    with pytest.raises(ReadingError, match=r"row 8, column 'loss': 'oops' is not a number"):
        read(write(tmp_path, text))
    frame = read(write(tmp_path, text.replace("oops", "0.1"))).frame
    assert frame["row"].tolist() == [4, 7, 8]  # a record counts where it ends


def test_what_is_nan_and_what_is_not_there(tmp_path):
    cells = ["1", "", "NA", "null", "nan", "NaN", "inf", "-inf", "2"]
    text = "step,loss\n" + "".join(f"{t},{cell}\n" for t, cell in enumerate(cells))
    frame = read(write(tmp_path, text)).frame
    assert frame["logged"].tolist() == [True, False, False, False, True, True, True, True, True]
    expected = [1, np.nan, np.nan, np.nan, np.nan, np.nan, np.inf, -np.inf, 2]
    np.testing.assert_array_equal(frame["loss"], expected)


def test_a_word_that_means_nothing_in_numbers_may_name_a_method(tmp_path):
    rows = [(name, t, 1 / (1 + t)) for name in ("none", "cosine") for t in range(3)]
    text = "schedule,step,loss\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows)
    groups = read(write(tmp_path, text)).frame["group"].unique()
    assert sorted(groups) == ["schedule=cosine", "schedule=none"]


def test_a_file_is_the_same_in_whatever_blocks_it_is_read(tmp_path, monkeypatch):
    rng = np.random.default_rng(5)
    lines = ["name,seed,step,loss"]
    for seed in range(3):
        for t in range(200):
            cell = ["", "nan", repr(float(rng.lognormal()))][min(2, int(rng.integers(0, 20)))]
            lines.append(f'"run, ""{seed}""\nof 3",{seed},{t},{cell}')
            if rng.random() < 0.05:
                lines.append("# remark")
    path = write(tmp_path, "\n".join(lines) + "\n")
    whole = read(path).frame
    monkeypatch.setattr(delimited, "BLOCK", 300)
    parts = read(path).frame
    assert len(whole) == 600
    assert whole.drop(columns=["run", "group"]).equals(parts.drop(columns=["run", "group"]))
    assert whole["run"].astype(str).equals(parts["run"].astype(str))


def test_every_digit_is_read(tmp_path):
    values = np.random.default_rng(3).lognormal(size=500)
    text = "step,loss\n" + "".join(f"{t},{x!r}\n" for t, x in enumerate(values.tolist()))
    read_values = read(write(tmp_path, text)).frame["loss"].to_numpy()
    np.testing.assert_allclose(read_values, values, rtol=1e-15)


def test_gzip_is_unpacked(tmp_path):
    packed = gzip.compress(b"step,loss\n1,0.5\n2,0.25\n")
    assert read(write(tmp_path, packed, "a.csv.gz")).frame["loss"].tolist() == [0.5, 0.25]
    with pytest.raises(ReadingError, match="broken gzip"):
        read(write(tmp_path, packed[:25], "a.csv.gz"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty file"),
        ("\n \n", "only blank lines"),
        ("# nothing\n", "no line but blanks and comments"),
        ("step,loss\n", "only a header"),
        ("loss\n1\n2\n", "one column"),
        ("step,loss\n1,2\n2,x\n", "row 3, column 'loss': 'x' is not a number"),
        ("step,loss\n1,2\nabc,1\n", "row 3, column 'step': 'abc' is not a number"),
        ("step,loss\n1,1_000\n2,1\n", "row 2, column 'loss': '1_000' is not a number"),
        (
            'step,loss\n1,"2,5"\n2,"1,5"\n',
            "row 2, column 'loss': '2,5' is not a number; write 2.5; decimal commas are read in",
        ),
        (
            'step,q\n1,"2,5"\n2,"1,5"\n',
            "row 2, column 'q': '2,5' is not a number; write 2.5; decimal commas are read in",
        ),
        (
            'step,run_0,run_1\n1,2.5,2.5\n2,"1,5",1\n',
            "row 3, column 'run_0': '1,5' is not a number; write 1.5",
        ),
        (
            'step,loss\n1,2.5\n"1,000",2\n',
            "row 3, column 'step': '1,000' is not a number; write 1.000 if the comma is a decimal",
        ),
        (
            'step,loss\n1,2.5\n"1,000,000",2\n',
            "row 3, column 'step': '1,000,000' is not a number; write 1000000: thousands are not",
        ),
        ("step,loss\n-2,2\n-1,1\n", "column 'step' is never positive (-2 to -1)"),
        ("step,loss\n1,2\n2,1,5\n", "row 3 has 3 cells, the header 2"),
        ("step,loss\n1,2\n2,1\nstep,loss\n1,2\n", "row 4 repeats the header"),
        ("step,loss,loss\n1,2,3\n", "columns 2 and 3 are both called 'loss'"),
        ("a,b,c\n1,2,3\n", "no column looks like a step"),
        ("step,who\n1,x\n", "no column of numbers is left"),
        ("step,loss\n1,\n2,\n", "column 'loss' holds no number"),
        ("step,loss\ninf,2\n", "row 2, column 'step' is inf"),
        (b"\x80\x04\x95", "a pickle, never opened"),
        (b"PK\x03\x04\0", "a zip archive"),
        (b"\xff\xfes\0t\0", "save it as UTF-8"),
        (b"step,loss\n\0\0", "binary file"),
    ],
)
def test_refusals_are_one_line(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(ReadingError) as caught:
        read(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_bad_cells_far_from_the_start_are_found(tmp_path):
    lines = [f"{t},{1 / (1 + t)!r}" for t in range(300_000)]
    lines[250_000] = "250000,0.1.2"
    text = "\n".join(["step,loss", *lines])
    with pytest.raises(ReadingError, match=r"row 250,002, column 'loss': '0.1.2'"):
        read(write(tmp_path, text))


def test_places_that_are_no_files(tmp_path):
    path = write(tmp_path, "step,loss\n1,2\n", "metrics.csv")
    with pytest.raises(ReadingError, match=r"no such file; did you mean 'metrics.csv'"):
        read(tmp_path / "metric.csv")
    with pytest.raises(ReadingError, match=r"a folder without TensorBoard events.*'metrics.csv'"):
        read(tmp_path)
    with pytest.raises(ReadingError, match="no such file, and no folder"):
        read(tmp_path / "nowhere" / "a.csv")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ReadingError, match="not a regular file"):
            read(tmp_path / "pipe")
    assert len(read(str(path)).frame) == 1


INDEXED = [",step,loss\n", "Unnamed: 0,step,loss\n", "index,step,loss\n", "level_0,step,loss\n"]


@pytest.mark.parametrize("header", INDEXED)
def test_an_index_is_no_step_where_there_is_one(tmp_path, header):
    curves = read(write(tmp_path, header + "0,10,0.5\n1,20,0.25\n"))
    assert curves.frame["step"].tolist() == [10, 20]
    assert not any("index" in note for note in curves.notes)
    # nor does it take part in guesses of the loss, or of what tells rows apart
    odd = write(tmp_path, header.replace("loss", "q") + "0,10,0.5\n1,20,0.25\n")
    assert read(odd).frame["loss"].tolist() == [0.5, 0.25]
    with pytest.raises(ReadingError, match="no column tells runs apart"):
        read(write(tmp_path, header + "0,10,0.5\n1,20,0.25\n2,5,0.1\n"))


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index"])
def test_without_a_step_the_index_counts_rows(tmp_path, name):
    curves = read(write(tmp_path, f"{name},loss,lr\n" + "0,0.5,1\n1,0.25,1\n2,0.1,1\n"))
    assert curves.step_column == "row"
    assert curves.frame["step"].tolist() == [0, 1, 2]
    assert sum("No step column: rows 0 to 2 are the steps" in note for note in curves.notes) == 1
    thinned = read(write(tmp_path, f"{name},loss,lr\n" + "0,0.5,1\n10,0.25,1\n20,0.1,1\n"))
    assert thinned.frame["step"].tolist() == [0, 10, 20]
    wide = read(write(tmp_path, f"{name},run_0,run_1\n0,1.0,2.0\n1,0.5,1.5\n"))
    assert wide.frame["step"].tolist() == [0, 1] * 2
    assert any("No step column: rows 0 to 1" in note for note in wide.notes)
    # negative control: a first column of another name is no index
    with pytest.raises(ReadingError, match="no column looks like a step"):
        read(write(tmp_path, "who,loss,lr\n0,0.5,1\n1,0.25,1\n"))


@pytest.mark.parametrize("order", ["runs", "rows"])
def test_an_index_that_counts_through_all_runs_counts_each(tmp_path, order):
    pairs = [(seed, t) for seed in range(3) for t in range(4)]
    pairs = pairs if order == "runs" else sorted(pairs, key=lambda pair: pair[1])
    rows = [f"{i},{seed},{1 / (1 + t + seed)}\n" for i, (seed, t) in enumerate(pairs)]
    curves = read(write(tmp_path, ",seed,loss\n" + "".join(rows)))
    assert curves.frame["step"].tolist() == [0, 1, 2, 3] * 3
    assert any("counts through all runs" in note for note in curves.notes)
    again = [f"{t},{seed},{1 / (1 + t + seed)}\n" for seed, t in pairs]  # an index of each run
    curves = read(write(tmp_path, ",seed,loss\n" + "".join(again)))
    assert curves.frame["step"].tolist() == [0, 1, 2, 3] * 3
    assert not any("counts through" in note for note in curves.notes)


def test_lines_that_end_as_on_old_macs(tmp_path, monkeypatch):
    text = "# by hand\nseed,step,loss\n" + "".join(f"0,{t},{1 / (1 + t)}\n" for t in range(500))
    old = write(tmp_path, text.replace("\n", "\r"), "old.csv")
    packed = write(tmp_path, gzip.compress(old.read_bytes()), "old.csv.gz")
    new = read(write(tmp_path, text)).frame
    columns = ["step", "loss", "row"]
    for path in (old, packed):
        assert read(path).frame[columns].equals(new[columns])
    monkeypatch.setattr(delimited, "BLOCK", 300)
    assert read(old).frame[columns].equals(new[columns])
    with pytest.raises(ReadingError, match="row 4, column 'loss': 'x' is not a number"):
        read(write(tmp_path, "step,loss\r1,2\r2,1\r3,x\r"))
    lines = write(tmp_path, '{"step": 1, "loss": 2}\r{"step": 2, "loss": 1}\r', "log.jsonl")
    assert read(lines).frame["loss"].tolist() == [2, 1]
    with pytest.raises(ReadingError, match="row 1 holds a carriage return within the line"):
        read(write(tmp_path, "step,loss\r1,2\n2,1\n"))


def test_wide_files(tmp_path):
    text = "step,run_0,run_1\n0,1.0,2.0\n10,0.5,1.5\n20,,1.0\n"
    curves = read(write(tmp_path, text))
    assert curves.kind == "wide"
    assert curves.frame["run"].tolist() == ["run_0"] * 3 + ["run_1"] * 3
    assert curves.frame["loss"].isna().tolist() == [False, False, True, False, False, False]
    assert curves.frame["loss"].dropna().tolist() == [1.0, 0.5, 2.0, 1.5, 1.0]
    assert curves.frame["row"].tolist() == [2, 3, 4] * 2
    # negative control: names that differ in words may be methods
    with pytest.raises(ReadingError, match="name one of adam, sgd with --loss"):
        read(write(tmp_path, text.replace("run_0", "adam").replace("run_1", "sgd")))
    with pytest.raises(ReadingError, match="row 3: step falls from 30 to 10"):
        read(write(tmp_path, text.replace("\n0,", "\n30,")))


def test_several_files_are_runs(tmp_path):
    paths = []
    for version in range(3):
        (tmp_path / f"version_{version}").mkdir()
        text = "".join(f"{t},{version + 1 / (1 + t)}\n" for t in range(4))
        paths.append(write(tmp_path / f"version_{version}", "step,loss\n" + text, "metrics.csv"))
    curves = read(paths)
    assert list(curves.frame["run"].unique()) == [f"version_{v}/metrics" for v in range(3)]
    assert curves.run_columns == ("file",)
    assert curves.frame["loss"].iloc[4] == 2.0
    grouped = read(paths, by="file").frame
    assert list(grouped["group"].unique()) == [f"file=version_{v}/metrics" for v in range(3)]
    assert len(read(paths, where={"file": "version_1/metrics"}).frame) == 4
    with pytest.raises(ReadingError, match="given twice"):
        read([paths[0], paths[0]])


def test_files_that_name_the_same_runs_are_refused(tmp_path):
    paths = []
    for name in ("adam", "sgd"):
        rows = "".join(f"{seed},{t},{1 / (1 + t)}\n" for seed in range(2) for t in range(3))
        paths.append(write(tmp_path, "seed,step,loss\n" + rows, f"{name}.csv"))
    with pytest.raises(ReadingError, match="run 0' is in adam and in sgd: --by file"):
        read(paths)
    methods = read(paths, by="file").frame
    assert sorted(methods["group"].unique()) == ["file=adam", "file=sgd"]
    assert sorted(methods["run"].unique()) == ["0", "1"]
    seeds = read(paths, run=["file", "seed"]).frame
    assert sorted(seeds["run"].unique()) == ["adam, 0", "adam, 1", "sgd, 0", "sgd, 1"]
    other = write(tmp_path, "epoch,loss\n0.5,1\n", "other.csv")
    with pytest.raises(ReadingError, match="step column 'epoch', but 'step' in adam"):
        read([paths[0], other])


def test_a_small_file_that_unpacks_to_much_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "curve.csv.gz"
    rows = "".join(f"{step},1.0\n" for step in range(1000)) + "\n" * 200_000
    path.write_bytes(gzip.compress(("step,loss\n" + rows).encode()))
    assert len(read(path).frame) == 1000  # control
    monkeypatch.setattr("motsim.rates.reading.sources.UNPACKED", 100_000)
    with pytest.raises(ReadingError, match=r"unpacks to more than [\d,]+ bytes"):
        read(path)
