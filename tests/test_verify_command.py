"""The command that checks the claims: its own exit codes, and the options that runs share."""

import json
import signal
import subprocess
import sys
import time

import pytest

from motsim.verify import main


def start(*words):
    return subprocess.Popen(
        [sys.executable, "-m", "motsim.verify", *map(str, words)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(("end", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_interrupted_says_how_to_go_on(tmp_path, end, code):
    out = tmp_path / "out"
    process = start("rates", "--out", out, "--jobs", 1, "--progress", "json")
    for line in process.stderr:
        if json.loads(line)["event"] == "start":
            break
    time.sleep(0.5)
    process.send_signal(end)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == code, errors
    last = json.loads(errors.splitlines()[-1])
    assert f"finished runs are kept in {out}" in last["text"]
    assert f"python -m motsim.verify rates --out {out} --jobs 1" in last["text"]


def test_an_unknown_claim_is_one_line(tmp_path, capsys):
    assert main(["covrage", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr()
    assert printed.err == (
        "python -m motsim.verify: unknown claim 'covrage'; did you mean 'coverage'?\n"
    )
    assert not (tmp_path / "out").exists()


def test_it_takes_the_options_of_runs(tmp_path, capsys):
    words = ["rates", "--backend", "sequential", "--scheduler", "tcp://a:1"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 2
    assert "needs --backend dask or ray" in capsys.readouterr().err


def test_list_says_where_claims_come_from(capsys):
    assert main(["--list", "coverage"]) == 0
    assert capsys.readouterr().out.startswith("coverage (")
