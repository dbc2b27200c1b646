"""Streams of a command: closed, full, narrow, or read by nobody."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from motsim import sweep
from motsim.commands import table
from motsim.report import __main__ as report
from tests.refusals import refusal

SWEEP = """
title = "steps to \N{GREEK SMALL LETTER EPSILON}"
kind = "probe"
seeds = 2
[fixed]
seconds = {seconds}
"""


@pytest.fixture
def call(kinds, tmp_path):
    """Call a command in a shell: `{}` stands for it."""
    (tmp_path / "probe.toml").write_text(SWEEP.format(seconds=0.0))
    commands = {
        "explain": "-m motsim explain",
        "help": "-m motsim.sweep --help",
        "usage": "-m motsim --help",
        "sweep": "-m motsim.sweep probe.toml --jobs 1",
        "wrong": "-m motsim.sweep probe.toml --jobs 0",
    }

    def called(name, line, **environment):
        command = f"{sys.executable} {commands[name]}"
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line.format(command)],
            cwd=tmp_path, env=os.environ | environment, text=True, capture_output=True, timeout=60,
        )  # fmt: skip

    return called


@pytest.mark.parametrize("name", ["explain", "help", "usage", "sweep"])
def test_full_output_is_one_line_and_an_exit_code(call, name):
    done = call(name, "{} > /dev/full")
    lines = [line for line in done.stderr.splitlines() if "runs" not in line]
    assert (done.returncode, lines) == (
        1,
        ["standard output cannot be written: No space left on device"],
    )


@pytest.mark.parametrize("reader", ["true", "head -n 0"])
@pytest.mark.parametrize("name", ["explain", "help"])
def test_a_reader_that_has_gone_is_silence(call, name, reader):
    done = call(name, "{} | " + reader)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize(
    ("name", "code", "ending"),
    [
        ("sweep", 0, "2>&-"),
        ("help", 0, "2>&-"),
        ("wrong", 2, "2>&-"),
        ("help", 0, "2> /dev/full"),
        ("wrong", 2, "2> /dev/full"),
        pytest.param("sweep", 0, "2> /dev/full", marks=pytest.mark.slow),
    ],
)
def test_without_standard_error_the_exit_code_stays(call, name, code, ending):
    done = call(name, "{} " + ending)
    assert (done.returncode, "Traceback" in done.stdout) == (code, False)
    assert bool(done.stdout) == (code == 0)  # errors do not become output


def test_closed_output_is_no_error(call):
    done = call("sweep", "{} >&-")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_what_ascii_cannot_spell_is_escaped(call):
    done = call("sweep", "{}", PYTHONIOENCODING="ascii")
    assert (done.returncode, "steps to \\u03b5" in done.stdout) == (0, True), done.stderr


def test_control_without_care_each_is_a_traceback(call):
    bare = "python -c \"from motsim.__main__ import main; main(['explain'])\""
    bare = bare.replace("python", sys.executable)
    for line in (f"{bare} > /dev/full", f"{bare} | true", f"PYTHONIOENCODING=ascii {bare}"):
        done = call("explain", line)
        assert (done.returncode != 0, "Error" in done.stderr) == (True, True), line


@pytest.mark.parametrize(
    ("pause", "after"),  # seconds; workers are starting, or run
    [
        (0.0, 0.3),
        (0.05, 2.0),
        (0.3, 2.0),
        *(pytest.param(*two, marks=pytest.mark.slow) for two in ((0.05, 0.3), (0.3, 0.3), (0, 2))),
    ],
)
def test_ctrl_c_twice_is_no_traceback(kinds, tmp_path, pause, after):
    (tmp_path / "probe.toml").write_text(SWEEP.format(seconds=30.0))
    with subprocess.Popen(
        [sys.executable, "-m", "motsim.sweep", "probe.toml", "--jobs", "2", "--progress", "plain"],
        cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            process.stderr.readline()  # it has begun
            time.sleep(after)
            for _ in range(2):
                os.killpg(process.pid, signal.SIGINT)
                time.sleep(pause)
            _, said = process.communicate(timeout=15)  # a run takes longer
        finally:
            process.kill()
    assert process.returncode in (130, -signal.SIGINT)
    assert not re.search("Traceback|Exception|Error", said), said


@pytest.mark.parametrize("main", [sweep.main, report.main, table.main])
def test_an_empty_folder_is_refused(main, capsys):
    words = ["rates"] if main is table.main else []
    assert "must name a folder" in refusal(main, [*words, "--out", ""], capsys)


def test_names_beside_list_are_refused(capsys):
    assert "leave the names out" in refusal(sweep.main, ["rates", "--list"], capsys)


def test_a_wrong_value_has_no_hint_of_an_option(capsys):
    said = refusal(sweep.main, ["--jobs", "0"], capsys)
    assert ("must be" in said, "did you mean" in said) == (True, False)
    assert "did you mean --jobs?" in refusal(sweep.main, ["--job", "1"], capsys)  # the control
