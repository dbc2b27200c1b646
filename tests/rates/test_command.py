"""The command: its options, its one-line refusals, what it prints and draws of several groups."""

import json

import numpy as np
import pandas as pd
import pytest

import motsim
from motsim.rates import Rates, picture
from motsim.rates.__main__ import main

FACTORS = np.array([1.0, 1.2, 0.9, 1.1, 1.05])
STEPS = np.arange(1, 301)


def frame(problems=("a",)):
    """Five logarithmic runs of each problem."""
    parts = [
        pd.DataFrame({"problem": name, "seed": k, "step": STEPS, "loss": c * np.exp(-STEPS / 12)})
        for name in problems
        for k, c in enumerate(FACTORS)
    ]
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("curves") / "curves.csv"
    frame().drop(columns="problem").to_csv(path, index=False)
    return str(path)


@pytest.fixture(scope="module")
def groups():
    """Two groups, the second too short to be judged."""
    short = frame(("b",)).query("step < 20")
    return motsim.rate(pd.concat([frame(), short]))


def refused(capsys, *arguments):
    """Return the one line on standard error of a call that ends with code 2."""
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = stop.code
    out, err = capsys.readouterr()
    assert (code, out, err.count("\n")) == (2, "", 1)
    return err


@pytest.mark.parametrize("eps", ["-1", "0", "nan", "inf", "x"])
def test_eps_that_are_none_are_refused(file, eps, capsys):
    said = refused(capsys, file, "--at", "0.1", eps)
    assert "argument --at: eps must be a positive number; got " in said


@pytest.mark.parametrize("eps", [-1.0, 0, float("nan"), "x", True, None])
def test_eps_that_are_none_are_refused_in_python(groups, eps):
    with pytest.raises(ValueError, match=r"^eps must be a positive number; got "):
        groups.steps_to([0.1, eps])
    with pytest.raises(ValueError, match=r"^eps must be a positive number; got "):
        groups["problem=a"].steps_to(eps)


def test_eps_that_are_numbers_are_answered(file, capsys):
    assert main([file, "--at", "0.1", "1e-20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    # 1.2 exp(-t / 12) <= 0.1 from t = 29.8 on
    assert [line.split() for line in lines[-6:]][:3] == [
        ["T(0.1)", "T(1e-20)"],
        ["0", "28", "-"],
        ["1", "30", "-"],
    ]


def test_level_widens_the_intervals(file, capsys):
    found = {}
    for level in ("0.8", "0.95", "0.99"):
        assert main([file, "--level", level, "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        low, high = told["decision"]["steps_per_decade_interval"]
        assert told["level"] == float(level)
        found[level] = high - low
    assert found["0.8"] < found["0.95"] < found["0.99"]
    assert main([file, "--level", "0.8"]) == 0
    assert "value [80 %]" in capsys.readouterr().out
    assert main([file]) == 0
    assert "value [95 %]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("level", "message"),
    [
        ("0", "got 0"),
        ("1", "got 1"),
        ("-0.95", "got -0.95"),
        ("nan", "got nan"),
        ("x", "got 'x'"),
        ("95", "got 95; did you mean 0.95?"),
    ],
)
def test_levels_that_are_none_are_refused(file, level, message, capsys):
    said = refused(capsys, file, "--level", level)
    assert f"level must be from 0.5 to below 1; {message}\n" in said
    number = level if level == "x" else float(level)
    with pytest.raises(ValueError, match=r"^level must be from 0\.5 to below 1"):
        motsim.rate(frame(), level=number)


def test_times_of_several_groups(groups):
    times = groups.steps_to([0.1, 1e-3])
    assert times.index.names == ["group", "run"]
    assert list(times.columns) == [0.1, 1e-3]
    for name, one in groups.items():
        pd.testing.assert_frame_equal(times.loc[name], one.steps_to([0.1, 1e-3]), check_names=False)
    assert times.loc["problem=b", 1e-3].isna().all()
    assert groups.steps_to(0.1).shape == (10, 1)


def test_picture_of_several_groups_has_a_panel_each(groups, tmp_path):
    figure = groups.plot(tmp_path / "law.png")
    assert (tmp_path / "law.png").read_bytes().startswith(b"\x89PNG")
    panels = figure.get_axes()
    assert [panel.get_title(loc="left").split("\n")[0] for panel in panels] == list(groups)
    assert "steps per decade" in panels[0].get_title(loc="left")
    assert [panel.get_xscale() for panel in panels] == ["log", "log"]
    assert [panel.get_yscale() for panel in panels] == ["linear", "log"]  # of the law decided
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["log law", "best power"]
    with pytest.raises(ValueError, match=r"must end in \.png, \.pdf, \.svg; got 'law.txt'"):
        groups.plot("law.txt")


def test_one_page_holds_so_many_groups_and_says_of_how_many(groups):
    """Control: what fits has no title."""
    one = groups["problem=a"]
    many = Rates({str(k): one for k in range(picture.MOST_PANELS + 1)})
    figure = many.plot()
    assert len(figure.get_axes()) == picture.MOST_PANELS
    assert figure.get_suptitle().startswith("15 of 16 groups")
    assert groups.plot().get_suptitle() == ""


def test_the_command_draws_all_groups_into_the_file_named(tmp_path, capsys):
    frame(("a", "b")).to_csv(tmp_path / "curves.csv", index=False)
    assert main([str(tmp_path / "curves.csv"), "--plot", str(tmp_path / "law.svg")]) == 0
    assert capsys.readouterr().err == f"picture: {tmp_path / 'law.svg'}\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.csv", "law.svg"]


def test_every_note_that_is_printed_is_a_sentence(tmp_path, capsys):
    """Notes on columns, on the floor, on copies, on zeros and negative steps, in one answer."""
    many = frame().drop(columns="problem")
    copy = many[many.seed == 0].assign(seed=7)
    many["step"] -= 3
    many.loc[(many.seed == 1) & (many.step > 290), "loss"] = -0.5
    path = tmp_path / "curves.csv"
    pd.concat([many, copy, copy.assign(seed=8)]).to_csv(path)
    assert main([str(path), "--floor", "1e-13"]) == 0
    text = capsys.readouterr().out.split("\n\nlaw ")[0].replace("\n  ", " ")
    notes = [line[2:] for line in text.splitlines() if line.startswith("- ")]
    for words in ("copies of others", "Floor 1e-13", "negative in 10 rows of 5 of 7", "below the"):
        assert any(words in note for note in notes), words
    assert all(note[0].isupper() or note[0].isdigit() for note in notes)
    assert all(note.endswith(".") for note in notes)
