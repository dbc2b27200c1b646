"""Two processes that need one kernel at once: one compiles it, the other loads what it wrote."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.faults.test_cache import environment, finish

#: A process that uses a kernel. It notes that it compiles, and then waits to be allowed; that it
#: waits for another; and what it has found.
PROCESS = """
import sys, time
from pathlib import Path
folder, name, *options = sys.argv[1:]
folder = Path(folder)
sys.path.insert(0, str(folder))

from numba.core import event
from motsim.vectors import turns

class Notes(event.Listener):
    def on_start(self, event):
        (folder / f"{name}-compiles").touch()
        while "slow" in options and not (folder / "allowed").exists():
            time.sleep(0.01)

    def on_end(self, event):
        pass

def sleep(seconds):
    (folder / f"{name}-waits").touch()
    time.sleep(seconds)

class Clock:
    monotonic, sleep = staticmethod(time.monotonic), staticmethod(sleep)

turns.time = Clock
if "without locks" in options:
    turns.fcntl = None
if "impatient" in options:
    turns.PATIENCE = 0.2
event.register("numba:compile", Notes())
import shared
print(shared.twice(21.0))
"""
KERNEL = """
from motsim.vectors.compiling import kernel
@kernel
def twice(x):
    return 2.0 * x
"""


@pytest.fixture
def start(tmp_path):
    """Start such a process; what is left of them in the end is ended."""
    (tmp_path / "shared.py").write_text(KERNEL)
    (tmp_path / "process.py").write_text(PROCESS)
    begun = []

    def one(name, *options):
        begun.append(
            subprocess.Popen(
                [sys.executable, str(tmp_path / "process.py"), str(tmp_path), name, *options],
                env=environment(tmp_path), text=True,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )
        )  # fmt: skip
        return begun[-1]

    yield one
    for process in begun:
        process.kill()
        process.communicate()


def seen(folder, *names):
    """Wait until one of some notes is there; return it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for name in names:
            if (folder / name).exists():
                return name
        time.sleep(0.01)
    raise AssertionError(f"none of {names} came")


def values(*processes):
    found = [finish(process) for process in processes]
    assert [code for code, _, _ in found] == [0] * len(found), found
    return [lines for _, lines, _ in found]


@pytest.mark.parametrize("locks", [True, False])
def test_two_processes_compile_a_kernel_once(tmp_path, start, locks):
    options = () if locks else ("without locks",)
    first = start("first", "slow", *options)
    assert seen(tmp_path, "first-compiles")
    second = start("second", *options)
    wanted = "second-waits" if locks else "second-compiles"  # control: without locks both do
    assert seen(tmp_path, "second-waits", "second-compiles") == wanted
    (tmp_path / "allowed").touch()
    assert values(first, second) == [["42.0"]] * 2
    compiled = sorted(path.name for path in tmp_path.glob("*-compiles"))
    assert compiled == ["first-compiles"] + ["second-compiles"] * (not locks)
    assert not list((tmp_path / "cache").rglob("*.turn")) or not locks


def test_a_process_that_dies_while_it_compiles_holds_nobody_up(tmp_path, start):
    first = start("first", "slow")
    assert seen(tmp_path, "first-compiles")
    second = start("second")
    assert seen(tmp_path, "second-waits", "second-compiles") == "second-waits"  # it lives
    os.kill(first.pid, signal.SIGKILL)
    assert values(second) == [["42.0"]]
    assert (tmp_path / "second-compiles").exists()


def test_a_process_that_does_not_go_on_is_not_waited_for_for_ever(tmp_path, start):
    start("first", "slow")
    assert seen(tmp_path, "first-compiles")
    assert values(start("second", "impatient")) == [["42.0"]]
    assert (tmp_path / "second-waits").exists()
    assert (tmp_path / "second-compiles").exists()


@pytest.mark.parametrize("fails", ["a type error", "none"])
def test_a_kernel_that_does_not_compile_keeps_no_turn(tmp_path, start, fails):
    """Whoever comes after it need not wait; a control holds one."""
    body = "return x.nothing" if fails != "none" else "return 2.0 * x"
    (tmp_path / "shared.py").write_text(KERNEL.replace("return 2.0 * x", body))
    (tmp_path / "allowed").touch()
    text = PROCESS.replace(
        "print(shared.twice(21.0))",
        "try:\n    shared.twice(21.0)\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
        "from motsim.vectors.compiling import _turns\nprint(sum(map(len, _turns.values())))",
    )
    (tmp_path / "process.py").write_text(text)
    assert values(start("one")) == [["TypingError", "0"] if fails != "none" else ["0"]]
