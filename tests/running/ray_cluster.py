"""A real ray cluster for tests: a node that a process starts here, and ends with its input."""

import os
import subprocess
import sys

#: On busy cores a node takes longer than the 30 s that ray gives it.
PATIENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "120"}
#: From 2.60 on a driver needs the secret of a cluster; none is needed here.
OPEN = {"RAY_AUTH_MODE": "disabled"}
HEAD = """
import sys, ray
ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
print("ADDRESS", ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
"""


class RayCluster:
    """Use as a context manager; its `address` answers, and its workers have `environment`."""

    def __init__(self, **environment):
        self.environment = {**os.environ, **PATIENT, **OPEN, **environment}

    def __enter__(self):
        self.head = subprocess.Popen(
            [sys.executable, "-c", HEAD],
            env=self.environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for line in self.head.stdout:
            if line.startswith("ADDRESS "):
                self.address = line.split()[1]
                return self
        raise AssertionError(f"the ray cluster has not started: {self.head.wait()}")

    def __exit__(self, *error):
        self.head.communicate(timeout=60)
