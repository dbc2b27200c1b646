"""Sweeps in processes of their own that are cheap, can be killed, and say what they computed."""

import contextlib
import hashlib
import os
import random
import signal
import sqlite3
import string
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

HERE = Path(__file__).resolve().parent
SITE = HERE / "site"
FIXTURES = HERE / "fixtures"
ROOT = HERE.parents[1]

#: Seed of every random choice of the suite: `MOTSIM_FAULT_SEED=7 pytest tests/faults`.
SEED = int(os.environ.get("MOTSIM_FAULT_SEED", "0"))
#: Digests of the tables of an undisturbed sweep, by the text of its file.
CLEAN = {}
JOBS = 2
linux = pytest.mark.skipif(sys.platform != "linux", reason="the parent-death signal is Linux's")
LETTERS = string.ascii_letters + string.digits + "-_/.\x1b\x07\u202e\n é"


def word(rng):
    return "x" + "".join(rng.choice(LETTERS) for _ in range(rng.randrange(1, 12)))


def choices(name):
    """Random numbers of one test."""
    return random.Random(f"{SEED} {name}")


@dataclass
class Bench:
    """A scratch folder with a sweep file of N trial runs."""

    folder: Path
    runs: int = 40
    seconds: float = 0.02
    size: int = 20

    def __post_init__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.file = self.folder / "bench.toml"
        self.file.write_text(
            f'title = "Bench"\nkind = "trial"\nseeds = {self.runs}\n'
            f"[fixed]\nseconds = {self.seconds}\nsize = {self.size}\n"
        )
        self.log = self.folder / "log"
        self.out = self.folder / "out"

    def command(self, *arguments, jobs=2, out=None):
        driver = [sys.executable, str(SITE / "driver.py")]
        rest = ["--jobs", str(jobs), "--out", str(out or self.out), *map(str, arguments)]
        return [*driver, str(self.file), *rest]

    def environment(self, off=None, **more):
        path = os.pathsep.join([str(SITE), str(ROOT)])
        own = {"PYTHONPATH": path, "MOTSIM_FAULT_LOG": str(self.log), "PYTHONHASHSEED": "random"}
        if off:
            own["MOTSIM_FAULT_OFF"] = off
        return {**os.environ, **own, **more}

    def start(self, *arguments, off=None, env=None, jobs=2, out=None, inside=()):
        """Start a sweep; `inside`: words before its command, as `places.place` gives them."""
        return subprocess.Popen(
            [*inside, *self.command(*arguments, jobs=jobs, out=out)],
            env=self.environment(off, **(env or {})),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip

    def sweep(self, *arguments, code=0, timeout=120, **options):
        """Run to the end; return (standard output, standard error, seconds)."""
        begin = time.monotonic()
        process = self.start(*arguments, **options)
        try:
            output, errors = process.communicate(timeout=timeout)
        finally:
            end(process)
        assert process.returncode == code, (process.returncode, output[-2000:], errors[-3000:])
        return output, errors, time.monotonic() - begin

    def notes(self, word):
        """What the log says after a word: `computed` seeds, `acknowledged` keys."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line.split()[-1] for line in lines if line.split()[0] == word]

    def stored(self, out=None):
        """Status of every row of `runs`, by key, read by SQLite alone."""
        with contextlib.closing(sqlite3.connect((out or self.out) / "results.db")) as db:
            rows = db.execute("SELECT key, status FROM runs").fetchall()
        assert len(rows) == len(dict(rows)), "duplicate keys"
        return dict(rows)

    def tables(self, out=None):
        """Digest of all exported files, but for where the sweep file lies from there."""
        found = {}
        for path in sorted((out or self.out).glob("bench.*")):
            content = path.read_bytes()
            if path.suffix == ".json":
                content = b"\n".join(
                    line for line in content.splitlines() if not line.startswith(b' "file":')
                )
            found[path.name] = hashlib.sha256(content).hexdigest()
        return found

    def clean_tables(self):
        """Tables of an undisturbed sweep of the same file, computed once a session."""
        text = self.file.read_text()
        if text not in CLEAN:
            log, self.log = self.log, self.folder / "clean.log"
            self.sweep(out=self.folder / "clean", jobs=1)
            self.log = log
            CLEAN[text] = self.tables(self.folder / "clean")
        return CLEAN[text]

    def wait(self, process, word="computed", count=1, timeout=60):
        """Until the log has so many notes of this word."""
        deadline = time.monotonic() + timeout
        while len(self.notes(word)) < count:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, "too slow"
            time.sleep(0.005)


def recomputed(bench):
    """Runs that were computed more than once, counted."""
    return sum(count - 1 for count in Counter(bench.notes("computed")).values())


def workers_of(process):
    """loky's workers below a sweep."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return [
            child
            for child in psutil.Process(process.pid).children(recursive=True)
            if "popen_loky_posix" in " ".join(child.cmdline())
        ]
    return []


def kill(worker):
    """Kill a worker, unless loky has ended it since it was seen."""
    with contextlib.suppress(psutil.NoSuchProcess):
        worker.kill()


def end(process):
    """End what a test started, by its own process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(ValueError):
        process.communicate()


def sound(path):
    """Whether SQLite finds nothing wrong with a file."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
