"""A real dask cluster for tests: a scheduler and worker processes, each started here."""

import contextlib
import json
import os
import subprocess
import sys
import time

import psutil

QUIET = {"DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}


class Cluster:
    """Use as a context manager; `workers` are processes that a test may kill."""

    def __init__(self, folder, workers=2, threads=1, environment=None):
        self.folder, self.wanted, self.threads = folder, workers, threads
        self.environment = {**os.environ, **QUIET, **(environment or {})}

    def _start(self, *words):
        with (self.folder / "dask.log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", *map(str, words)],
                env=self.environment, cwd=self.folder,
                stdout=subprocess.DEVNULL, stderr=log,
            )  # fmt: skip

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        place = self.folder / "scheduler.json"
        self.scheduler = self._start(
            "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", 0,
            "--no-dashboard", "--dashboard-address", ":0", "--scheduler-file", place,
        )  # fmt: skip
        self.address = self._address(place)
        self.workers = [self.add_worker() for _ in range(self.wanted)]
        for _ in range(600):  # a command waits for 5 s, and they may take longer on busy cores
            if sum(path.is_dir() for path in self.folder.glob("dask-*/worker-*")) >= self.wanted:
                break
            time.sleep(0.05)
        return self

    def _address(self, place):
        for _ in range(600):
            with contextlib.suppress(OSError, ValueError, KeyError):
                return json.loads(place.read_text())["address"]
            assert self.scheduler.poll() is None, (self.folder / "dask.log").read_text()
            time.sleep(0.05)
        raise AssertionError("the dask scheduler has not started")

    def add_worker(self):
        return self._start(
            "distributed.cli.dask_worker", self.address, "--nthreads", self.threads,
            "--no-nanny", "--no-dashboard", "--local-directory", self.folder,
        )  # fmt: skip

    def __exit__(self, *error):
        for process in [*self.workers, self.scheduler]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
            process.wait()
