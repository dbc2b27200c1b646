"""One line for every mistake; what is listed and what help says."""

import pytest

import motsim.experiments.mixture.run
import motsim.plans.plan
from motsim.sweep import main
from tests.commands.tiny import TINY, call, count_runs
from tests.refusals import refusal

MISTAKES = {
    "sweep": (["ratse"], "did you mean 'rates'?"),
    "second sweep": (["TINY", "nothing-like-it-at-all"], "unknown sweep"),
    "file": (["missing.toml"], "no such file"),
    "key": (["TINY", "--set", "num_expert=4"], "did you mean 'num_experts'?"),
    "no value": (["TINY", "--set", "num_experts"], "key=value"),
    "type": (["TINY", "--set", "num_experts=four"], "num_experts = 'four'"),
    "num_classes": (["TINY", "--set", "num_classes=1"], "num_classes must be >= 2; got 1"),
    "dim": (["TINY", "--set", "dim=3"], "dim must be >= 4 (2 * num_classes); got 3"),
    "num_tokens": (["TINY", "--set", "num_tokens=2"], "num_tokens must be >= 3; got 2"),
    "similarity": (["TINY", "--set", "similarity=-1.1"], "similarity must be in [-1, 1)"),
    "empty range": (["TINY", "--set", "class_amplitude=[]"], "class_amplitude"),
    "reversed": (["TINY", "--set", "class_amplitude=[2.0,1.0]"], "0 < low <= high; got 2 to 1"),
    "step size": (["TINY", "--set", "align_rate=-1.0"], "align_rate must be >= 0; got -1"),
    "no experts": (["TINY", "--set", "num_experts=0"], "num_experts must be >= 1; got 0"),
    "top-k": (["TINY", "--set", "top_k=4"], "top_k must be <= num_experts = 3; got 4"),
    "epsilon": (["TINY", "--set", "epsilon_min=0.0"], "0 < epsilon_min < epsilon_max < 1"),
    "jobs": (["TINY", "--jobs", "0"], "whole number >= 1; got '0'"),
    "jobs a word": (["TINY", "--jobs", "two"], "whole number >= 1; got 'two'"),
    "seeds": (["TINY", "--seeds", "-1"], "whole number >= 1; got '-1'"),
    "seed start": (["TINY", "--seed-start", "-1"], "whole number from 0 to 1000000000; got '-1'"),
    "seed start a word": (["TINY", "--seed-start", "1.5"], "from 0 to 1000000000; got '1.5'"),
    "tier": (["TINY", "--tier", "medium"], "'medium' (choose from"),
    "option": (["TINY", "--job", "2"], "did you mean --jobs?"),
    "TOML": (["BROKEN"], "(at line 2, column 9)"),
    "case": (["TINY", "--case", "sngle"], "did you mean 'single'?"),
    "case of a setting": (["TINY", "--set", "sngle.dim=6"], "did you mean 'single'?"),
    "twice": (["TINY", "--set", "dim=6,6"], "6 is given twice; repetitions are seeds"),
    "runs": (["TINY", "--seeds", "1000000"], "2,000,000 runs; a sweep has at most 1,000,000"),
}


def refused(arguments, capsys, quiet=True):
    """Call with bad input; return the one line on standard error."""
    line = refusal(main, arguments, capsys, quiet)
    assert line.startswith("python -m motsim.sweep: ")
    return line


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_one_line_and_writes_nothing(name, tiny, tmp_path, out, capsys):
    broken = tmp_path / "broken.toml"
    broken.write_text("title = 'x'\nkind =  = 'mixture'\n")
    arguments, words = MISTAKES[name]
    places = {"TINY": tiny, "BROKEN": str(broken)}
    before = sorted(tmp_path.rglob("*"))
    line = refused([*(places.get(a, a) for a in arguments), "--out", str(out)], capsys)
    assert words in line
    assert sorted(tmp_path.rglob("*")) == before


def test_an_output_folder_that_cannot_be_is_one_line(tiny, tmp_path, monkeypatch, capsys):
    seeds = count_runs(monkeypatch)
    (tmp_path / "file").write_text("mine")
    for out in (str(tmp_path / "file"), str(tmp_path / "file" / "deeper"), "/proc/motsim"):
        assert out in refused([tiny, "--out", out], capsys, quiet=False)
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "results.db").write_bytes(b"not a database at all" * 100)
    assert "not a database" in refused(
        [tiny, "--out", str(tmp_path / "other")], capsys, quiet=False
    )
    assert seeds == []


def test_list_names_every_sweep_and_runs_nothing(tmp_path, monkeypatch, capsys):
    sweeps, here = tmp_path / "sweeps", tmp_path / "here"
    for folder in (sweeps, here):
        folder.mkdir()
    (sweeps / "b.toml").write_text(TINY + "[tier.full]\nseeds = 5\n")
    (sweeps / "a.toml").write_text("title = 'One run'\nseeds = 1\n")
    monkeypatch.setattr(motsim.plans.loading, "FOLDER", sweeps)
    monkeypatch.chdir(here)
    (sweeps / "broken.toml").write_text("title = 3\n")
    call("--list", "--jobs", 2)
    printed = capsys.readouterr()
    lines = [line.strip() for line in printed.out.splitlines()]
    assert [line for line in lines if "runs" not in line] == ["a", "One run", "b", "Tiny"]
    sizes = [line.partition(",")[0] for line in lines if "runs" in line]
    assert sizes == ["quick: 1 runs", "full: 1 runs", "quick: 6 runs", "full: 10 runs"]
    assert "broken.toml: title" in printed.err
    assert list(here.iterdir()) == []


def test_help_shows_every_option(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    for option in (
        "--tier", "--out", "--jobs", "--backend", "--scheduler", "--progress", "--seeds", "--set",
        "--seed-start", "--case",
        "--list", "--no-figure", "--shard", "--collect", "--status", "--schema", "--dry-run",
    ):  # fmt: skip
        assert option in text
