"""Import, compilation and memory of motsim, in fresh processes; run from the repository's root.

    python tests/benchmarks/footprint.py [--quick]

A fresh process imports motsim, compiles the kernels into an empty cache, loads them again from
it, and trains; peak memory is that of the process, imports included.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
from machine import ROOT, say
from part import Requirement, run

SMALL = {
    "L=3, sigma=0": {"num_tokens": 3, "noise_std": 0.0},
    "L=5, sigma=0.3": {"num_tokens": 5, "noise_std": 0.3},
}
LARGE = {"num_classes": 32, "num_experts": 512, "dim": 64, "num_tokens": 3, "noise_std": 0.0}
LONG = {"specialize_steps": 2000, "align_steps": 200, "converge_steps": 2000}
SHORT = {"specialize_steps": 2, "align_steps": 2, "converge_steps": 2}

FRESH = """
import json, resource, sys, time
begin = time.perf_counter()
import motsim
imported = time.perf_counter() - begin
from motsim.mixture.training import warm_up
loaded = time.perf_counter() - begin
begin, begin_processor = time.perf_counter(), time.process_time()
warm_up()
compiled, processor = time.perf_counter() - begin, time.process_time() - begin_processor
options = json.loads(sys.argv[1])
if options:
    from motsim.experiments.mixture.run import Settings, run
    run(Settings(**options))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
try:  # a child's ru_maxrss starts at its parent's peak; VmHWM is its own
    lines = open("/proc/self/status").read().splitlines()
    peak = next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
except OSError:
    pass
print(json.dumps([imported, loaded, compiled, peak, processor]))
"""


def fresh_process(options, cache=None):
    """In a new process: seconds of import, of import with training, of `warm_up`; peak MB;
    processor seconds of `warm_up`.
    """
    environment = os.environ | ({"MOTSIM_CACHE_DIR": cache} if cache else {})
    command = [sys.executable, "-c", FRESH, json.dumps(options)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def measure(quick):
    """Print what was found; return the requirements."""
    with tempfile.TemporaryDirectory() as cache:
        say("compilation into an empty cache")
        compiling, loading = fresh_process({}, cache), fresh_process({}, cache)
    imports = float(np.median([fresh_process({})[0] for _ in range(1 if quick else 5)]))
    steps = (SHORT if quick else LONG) | {"epsilon_min": 1e-30}
    say("memory")
    peaks = {name: fresh_process(setting | steps)[3] for name, setting in SMALL.items()}
    # Memory is taken before the first step: two steps a stage show it.
    large = fresh_process(LARGE | SHORT | {"epsilon_min": 1e-30})[3]
    print(f"compilation took {compiling[4]:.1f} s of processor time; import with the training")
    print(f"modules {loading[1]:.2f} s; loading compiled kernels {loading[2]:.2f} s; peak memory")
    print("of a run, MB:", ", ".join(f"{name} {peak:.0f}" for name, peak in peaks.items()))
    return [
        Requirement("import motsim, s", 0.5, imports, False),
        Requirement("compilation, empty cache, s", 20.0, compiling[2], False),
        Requirement("peak memory, N=4, M=16, MB", 300.0, max(peaks.values()), False),
        Requirement("peak memory, N=32, M=512, d=64, L=3, MB", 1000.0, large, False),
    ]


if __name__ == "__main__":
    run(__doc__, measure)
