"""What a sweep without a claim ends with: every case in the table, a line a setting, a picture."""

import re

import pandas as pd
import pytest

from motsim.commands.setting_lines import setting_lines
from motsim.commands.summary import print_hitting_times
from motsim.figures import ANY, drawn, figure_names
from motsim.plans.loading import load_sweep
from motsim.results.tables import Tables, TablesError, load_tables
from motsim.sweep import main

MIXED = """
title = "Mixed axes"
seeds = 3

[fixed]
num_classes = 2
dim = 6

[case.mot]
epsilon_max = 0.3
epsilon_min = 1e-4
[case.mot.grid]
num_experts = [10, 4]

[case.single]
preset = "single"
converge_steps = 1500
epsilon_min = 1e-3

[case.short]
preset = "single"
converge_steps = 2
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The folder of a sweep that has run, and the path of its file."""
    folder = tmp_path_factory.mktemp("own")
    path = folder / "mine.toml"
    path.write_text(MIXED)
    assert (
        main([str(path), "--jobs", "1", "--out", str(folder / "out"), "--progress", "quiet"]) == 0
    )
    return folder / "out", str(path)


def again(made, capsys, *words):
    out, path = made
    capsys.readouterr()
    rest = ["--jobs", "1", "--out", str(out), "--progress", "quiet", "--no-figure"]
    assert main([path, *words, *rest]) == 0
    return capsys.readouterr().out


def test_every_case_is_in_the_table(made, capsys):
    tables = load_tables("mine", made[0])
    print_hitting_times(tables)
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split()[:2] for line in lines[-4:]]
    assert rows == [["mot", "10"], ["4", lines[-3].split()[1]], ["single", "-"], ["short", "-"]]
    assert set(lines[-1].split()[2:]) == {"-"}  # reaches nothing, and says so
    assert "blank: not looked at so far down" in lines  # short's targets end before the others'
    assert any(line.split()[:1] == ["1e-01"] for line in lines)
    # control: what pandas does unless it is asked otherwise loses both cases
    lost = tables.main.groupby(["case", "num_experts"])["run"].count()
    assert set(lost.index.get_level_values("case")) == {"mot"}


def test_rows_that_come_from_a_flow_are_marked(capsys):
    """And said in words; where nothing flows there is no mark."""
    frame = pd.DataFrame({"case": ["deep", "deep", "near", "near"], "seed": 0, "run": list("aabb"),
                          "status": "reached", "epsilon": [0.1, 0.01] * 2, "step": [3, 8, 4, 9],
                          "flow_rtol": [1e-6, 1e-6, None, None]})  # fmt: skip
    both = Tables("x", {"labels": ["case", "seed"]}, frame, {})
    print_hitting_times(both)
    lines = capsys.readouterr().out.splitlines()
    assert lines[2] == "'~': along the gradient flow, its time counted in steps; others: descent"
    assert [line.split() for line in lines[-2:]] == [["deep", "~", "3", "8"], ["near", "4", "9"]]
    # control: by steps of descent alone
    for other in (frame[2:], frame.drop(columns="flow_rtol")):
        print_hitting_times(Tables("x", {"labels": ["case", "seed"]}, other, {}))
        assert "~" not in capsys.readouterr().out


@pytest.mark.parametrize("decades", [5, 12, 20, 21])
def test_as_many_decades_are_shown_as_there_is_room_for(decades, capsys):
    name = "a-name-as-long-as-that-of-a-case-of-ours"
    frame = pd.DataFrame({"case": name, "seed": 0, "run": "a", "status": "reached",
                          "epsilon": [float(f"1e-{k}") for k in range(1, decades + 1)],
                          "step": 1234567})  # fmt: skip
    print_hitting_times(Tables("x", {"labels": ["case", "seed"]}, frame, {}))
    lines = capsys.readouterr().out.splitlines()
    shown = lines[2].split()
    assert shown[-1] == f"1e-{decades:02d}"  # the last one always
    assert len(shown) == {5: 5, 12: 4, 20: 5, 21: 5}[decades]
    assert max(map(len, lines[2:])) <= 80


def test_a_grid_without_a_decade_is_printed_even_so(capsys):
    frame = pd.DataFrame({"seed": [0, 0], "run": "a", "status": "reached",
                          "epsilon": [0.09, 0.05], "step": [3, 8]})  # fmt: skip
    print_hitting_times(Tables("x", {"labels": ["seed"]}, frame, {}))
    assert "9e-02 5e-02" in capsys.readouterr().out
    print_hitting_times(Tables("x", {"labels": ["seed"]}, frame[:0], {}))  # control: nothing there
    assert capsys.readouterr().out == ""


def test_a_line_a_setting_and_what_to_do_next(made, capsys):
    printed = again(made, capsys)
    lines = list(setting_lines(load_tables("mine", made[0]), load_sweep(made[1]).cells()))
    assert all(line in printed for line in lines)
    assert len(lines) == 4
    assert all(len(line) <= 80 for text in lines for line in text.splitlines())
    words = [" ".join(line.split()) for line in lines]
    fronts = ["mot, num_experts 10: ", "mot, num_experts 4: ", "single: ", "short: "]
    for text, front in zip(words, fronts, strict=True):
        assert text.startswith(front)
        assert re.search(r"median final loss \d", text)
    assert re.search(r"\d of 3 runs specialize \[\d+, \d+\] %", words[0])
    assert "3 of 3 runs stay finite [29, 100] %" in words[2]  # a single transformer has no gate
    assert "T(1e-03) = " in words[2]
    assert "no decade reached by most runs" in words[3]
    assert "law of the last stage: " in words[2]
    assert printed.count("next: ") == 1
    assert "recorded" not in printed


def test_what_the_lines_say_follows_the_runs(made, capsys):
    """Negative controls: a mixture that cannot specialize, too few runs for a law."""
    words = ["--case", "mot", "--set", "gate_rate=0.0", "--set", "num_experts=4"]
    printed = again(made, capsys, *words)
    assert "mot: 0 of 3 runs specialize [0, 71] %; 3 do not cover every class" in printed
    assert "next: all of it on one page: python -m motsim.report --out" in printed
    printed = again(made, capsys, "--seeds", "2")
    assert "law of the last stage" not in printed
    assert "next: a law needs 3 runs a setting or more: --seeds 6" in printed
    again(made, capsys)  # the tables of all seeds, for the other tests


def test_the_law_is_the_one_that_is_decided(made):
    from motsim.claims._rates import case_decision
    from motsim.rates.words import short_answer

    tables, cells = load_tables("mine", made[0]), load_sweep(made[1]).cells()
    lines = [" ".join(line.split()) for line in setting_lines(tables, cells)]
    single = case_decision(tables.main[tables.main["case"] == "single"])
    assert f"law of the last stage: {short_answer(single)}" in lines[2]
    other = tables.main.assign(
        stage_step=(1e3 / tables.main["epsilon"]).fillna(0).astype(int)
    )  # control
    turned = Tables("mine", tables.meta, other.assign(stage_length=10**14), {})
    assert "1/eps, p = 1" in " ".join(list(setting_lines(turned, cells))[3].split())


# --- the picture ----------------------------------------------------------------------------------


def test_a_sweep_has_a_picture_with_a_panel_a_case(made):
    out = made[0]
    found = sorted(path.name for path in (out / "figures").iterdir() if path.suffix == ".png")
    assert found == ["mine-loss.png", "mine.png"]
    with drawn(ANY, load_tables("mine", out)) as figures:
        panels = figures["mine"].axes
        assert [ax.get_title() for ax in panels] == ["mot", "single"]  # short reaches nothing
        assert [ax.get_title() for ax in figures["mine-loss"].axes] == ["mot", "single", "short"]
        assert len(panels[0].get_lines()) == 6
        legend = [text.get_text() for text in figures["mine"].legends[0].get_texts()]
        assert legend == ["num_experts 10", "num_experts 4"]
    assert ANY not in figure_names()


def test_the_same_tables_give_the_same_picture(made, tmp_path):
    from motsim.figures import draw

    tables = load_tables("mine", made[0])
    again = [path.read_bytes() for path in draw(ANY, tables, tmp_path / "again")]
    first = [(made[0] / "figures" / name).read_bytes() for name in ("mine.png", "mine-loss.png")]
    assert again == first  # as the sweep has drawn them
    other = Tables("mine", tables.meta, tables.main[tables.main["seed"] < 2], tables.others)
    assert draw(ANY, other, tmp_path / "3")[0].read_bytes() != first[0]  # control


def test_a_picture_of_many_settings_says_that_it_leaves_some_out(made):
    tables = load_tables("mine", made[0])
    several = [tables.main[tables.main["case"] == "single"].assign(case=f"c{i}") for i in range(11)]
    many = Tables("mine", tables.meta, pd.concat(several), {})
    with drawn(ANY, many) as figures:
        assert "not all settings are drawn" in figures["mine"].get_supxlabel()
        assert len(figures["mine"].axes) == 9
    with drawn(ANY, Tables("mine", tables.meta, pd.concat(several[:3]), {})) as figures:  # control
        assert "not all" not in figures["mine"].get_supxlabel()
    with (
        pytest.raises(TablesError, match="no curve to draw"),
        drawn(ANY, Tables("mine", tables.meta, tables.main.drop(columns="epsilon"), {})),
    ):
        pass
