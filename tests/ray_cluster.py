"""A real ray cluster for tests: a head node here, in a process group of its own."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

import psutil

#: On busy cores a node takes longer than the 30 s that ray gives it.
PATIENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}


class RayCluster:
    """Use as a context manager; its `address` answers, and its workers have `environment`."""

    def __init__(self, folder, **environment):
        # the path of a socket below it may have some 100 characters
        self.folder = folder
        self.environment = {**os.environ, **PATIENT, **environment}

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.address = f"127.0.0.1:{port}"
        with (self.folder / "ray.log").open("w") as log:
            self.head = subprocess.Popen(
                [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block",
                 "--node-ip-address", "127.0.0.1", "--port", str(port), "--num-cpus", "2",
                 "--include-dashboard", "false", "--disable-usage-stats",
                 "--temp-dir", str(self.folder)],
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 150
        while "Ray runtime started" not in (text := (self.folder / "ray.log").read_text()):
            assert self.head.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.2)
        return self

    def __exit__(self, *error):
        with contextlib.suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.head.pid).children(recursive=True)
            self.head.send_signal(signal.SIGTERM)
            _, alive = psutil.wait_procs([*family, self.head], timeout=15)
            for process in alive:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        self.head.wait()
