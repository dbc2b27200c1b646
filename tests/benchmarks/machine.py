"""The machine that benchmarks run on: one thread on one core, clocks, and its dgemm rate."""

import importlib.util
import os
import platform
import sys
import time
from pathlib import Path

import numpy as np
import scipy.linalg  # noqa: F401  loads the BLAS that numba calls, so that it is limited too
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[2]
HAS_TORCH = importlib.util.find_spec("torch") is not None
NO_TORCH = "PyTorch is not installed: its columns and requirements are left out"


def one_thread():
    """Keep this process on one core, and NumPy, XLA and PyTorch on one thread.

    Before JAX's first computation: its thread pool is sized when the backend starts.
    """
    import jax_baseline

    jax_baseline.use_one_thread()
    if HAS_TORCH:
        import torch_baseline

        torch_baseline.use_one_thread()
    threadpool_limits(1)


def processor():
    """Name of the processor and number of cores."""
    info = Path("/proc/cpuinfo")
    names = info.read_text().splitlines() if info.exists() else []
    found = [line.partition(":")[2].strip() for line in names if line.startswith("model name")]
    return f"{found[0] if found else platform.machine()}, {os.cpu_count()} cores"


def describe():
    """One line: processor, versions and load."""
    import jax
    import numba

    versions = [f"{m.__name__} {m.__version__}" for m in (np, numba, jax)]
    if HAS_TORCH:
        import torch

        versions.append(f"torch {torch.__version__}")
    load = " ".join(f"{x:.2f}" for x in os.getloadavg())
    python = platform.python_version()
    return f"{processor()}; Python {python}, {', '.join(versions)}; load average {load}"


def say(text):
    """Progress, on stderr."""
    print(f"  [{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def timed(call):
    """Result of a call, and its wall and processor seconds."""
    wall, processor = time.perf_counter(), time.process_time()
    result = call()
    return result, np.array([time.perf_counter() - wall, time.process_time() - processor])


def dgemm_rate(rows, inner, columns, seconds=0.3):
    """Floating-point operations a second of np.dot, (rows x inner) by (inner x columns).

    The best of several products: the rate that the machine has when nothing else disturbs it.
    """
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((rows, inner)), rng.standard_normal((inner, columns))
    out = np.empty((rows, columns))
    best, begin = np.inf, time.perf_counter()
    while time.perf_counter() - begin < seconds or best == np.inf:
        _, taken = timed(lambda: np.dot(a, b, out))
        best = min(best, taken[0])
    return 2.0 * rows * inner * columns / best
