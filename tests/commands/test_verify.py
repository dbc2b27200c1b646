"""The command that checks the claims: its own exit codes, and the options that runs share."""

import json
import signal
import subprocess
import sys
import time

import pytest

from motsim.claims import Finding, Verdict, simple_data
from motsim.results.tables import stored_names
from motsim.verify import main


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "motsim.verify", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("end", "code", "more"),
    [
        (signal.SIGINT, 130, ["--seed-start", "5000", "--blocks", "2"]),
        (signal.SIGTERM, 143, []),
    ],
)
def test_interrupted_says_how_to_go_on(tmp_path, end, code, more):
    out = tmp_path / "out"
    process = start("rates", "--out", out, "--jobs", 1, "--progress", "json", *more)
    for line in process.stderr:
        if json.loads(line)["event"] == "start":
            break
    time.sleep(0.5)
    process.send_signal(end)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    last = json.loads(errors.splitlines()[-1])
    assert f"finished runs are kept in {out}" in last["text"]
    again = " ".join(["--jobs 1 --progress json", *more])
    assert last["text"].endswith(f"python -m motsim.verify rates --out {out} {again}")


def test_an_unknown_claim_is_one_line(tmp_path, capsys):
    assert main(["covrage", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err == (
        "python -m motsim.verify: unknown claim 'covrage'; did you mean 'coverage'?\n"
    )
    assert not (tmp_path / "out").exists()


def test_other_seeds_are_judged_against_the_record(tmp_path, capsys, monkeypatch):
    """Their tables stand beside; unlike in a sweep, another verdict is an error here."""
    words = ["simple-data", "--seed-start", "70", "--out", str(tmp_path), "--jobs", "1"]
    assert main(words) == 0
    assert "0 not as recorded" in capsys.readouterr().out
    assert stored_names(tmp_path) == ["simple-data@seed_start=70"]
    wrong = [Finding("x", "p", "m", Verdict.FAILS, "made up")]
    monkeypatch.setattr(simple_data, "judge", lambda tables: wrong)
    assert main(words) == 1


def test_it_takes_the_options_of_runs(tmp_path, capsys):
    words = ["rates", "--backend", "sequential", "--scheduler", "tcp://a:1"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "needs --backend dask or ray" in capsys.readouterr().err


def test_list_says_where_claims_come_from(capsys):
    assert main(["--list", "coverage"]) == 0
    assert capsys.readouterr().out.startswith("coverage (")
