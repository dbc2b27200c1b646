"""Places that share a folder: name spaces of their own, as containers have; what is told there."""

import contextlib
import re
import shutil
import sqlite3
import subprocess
import threading
import time
from functools import cache

import pytest

from tests.faults.harness import end

UNSHARE = ["unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child"]
UNSHARE += ["--mount-proc", "--uts"]


@cache
def refused():
    """Why there are no name spaces here; nothing where there are."""
    if shutil.which("unshare") is None:
        return "there is no unshare"
    done = subprocess.run([*UNSHARE, "hostname", "x"], capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def place(host):
    """Words in front of a command that put it into name spaces of its own, as process 1."""
    return [*UNSHARE, "sh", "-c", 'hostname "$0" && exec "$@"', host]


needs_places = pytest.mark.skipif(bool(refused()), reason=f"no name spaces here: {refused()}")
ENDLESS = {"MOTSIM_FAULT_SLEEP": "60"}  # runs that last until somebody ends them
HASTE = {"MOTSIM_FAULT_HASTE": "1"}  # where the seconds that are shipped are not what is tested


def held(bench):
    """Claims and signs of life that are left in the store."""
    with contextlib.closing(sqlite3.connect(bench.out / "results.db")) as db:
        tables = ("claims", "signs")
        return [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables]


class Told(threading.Thread):
    """Standard error of a process, each line with the seconds since the start of the reading."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process, self.lines, self.begin = process, [], time.monotonic()
        self.start()

    def run(self):
        for line in self.process.stderr:
            self.lines.append((time.monotonic() - self.begin, line.rstrip("\n")))

    def find(self, pattern):
        """Seconds and text of the first line that has it; None if there is none."""
        found = ((seconds, line) for seconds, line in self.lines if re.search(pattern, line))
        return next(found, None)

    def wait(self, pattern, timeout=60):
        deadline = time.monotonic() + timeout
        while not (found := self.find(pattern)):
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < deadline, self.lines
            time.sleep(0.02)
        return found


@contextlib.contextmanager
def started(bench, *arguments, **options):
    process = bench.start(*arguments, **options)
    try:
        yield process
    finally:
        end(process)


def leave_dead(bench, **options):
    """Kill a sweep in its first runs, which last until then."""
    options["env"] = (options.get("env") or {}) | ENDLESS
    with started(bench, **options) as process:
        bench.wait(process, "begin", 2)
        time.sleep(0.3)
    assert bench.notes("computed") == []
    assert held(bench)[0] == 2
