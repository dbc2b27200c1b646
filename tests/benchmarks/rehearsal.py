"""Benchmark of the rehearsal package; run from the repository's root.

    python tests/benchmarks/rehearsal.py [--dimension 500] [--samples 150] [--seconds 6]

Prints repetitions a second of `simulate_errors` and of the obvious NumPy loop with
`numpy.linalg.lstsq`, measured in turns in one run with one thread each, and their ratios (median
over rounds) by wall clock and by processor time, which other work on the machine disturbs less;
and the time of `expected_errors` for 50 tasks.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import scipy.linalg  # noqa: F401  loads the BLAS that numba calls, so that it is limited too
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from motsim.rehearsal.geometry import equicorrelated_tasks
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.schedules import Schedule, concurrent_schedule, sequential_schedule
from motsim.rehearsal.simulation import simulate_errors
from motsim.rehearsal.theory import expected_errors

Array = npt.NDArray[np.float64]
BATCH = 8  # repetitions a call


def obvious_loop(
    truths: Array, schedule: Schedule, noise: float, repetitions: int, seed: int
) -> Array:
    """Return errors (R, T, T) of the algorithm, written only to be obvious."""
    rng = np.random.default_rng(seed)
    num_tasks, dimension = truths.shape
    errors = np.empty((repetitions, num_tasks, num_tasks))
    for rep in range(repetitions):
        w = np.zeros(dimension)
        for t, step in enumerate(schedule):
            for fit in step:
                inputs, labels = [], []
                for task, samples in fit:
                    x = rng.standard_normal((samples, dimension))
                    inputs.append(x)
                    labels.append(x @ truths[task] + noise * rng.standard_normal(samples))
                x, y = np.vstack(inputs), np.concatenate(labels)
                w = w + np.linalg.lstsq(x, y - x @ w)[0]
            errors[rep, t] = ((truths - w) ** 2).sum(axis=1)
    return errors


def rates(run: Callable[[int, int], object], seconds: float, seed: int) -> tuple[float, float]:
    """Return repetitions a second of wall and of processor time of run(repetitions, seed)."""
    done, wall, processor = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - wall < seconds or done == 0:
        run(BATCH, seed + done)
        done += BATCH
    return done / (time.perf_counter() - wall), done / (time.process_time() - processor)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--dimension", type=int, default=500)
    parser.add_argument("--samples", type=int, default=150)
    parser.add_argument("--memory", type=int, default=100)
    parser.add_argument("--tasks", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=10.0, help="per program and strategy")
    parser.add_argument("--rounds", type=int, default=5)
    settings = parser.parse_args()
    tasks, rounds = settings.tasks, settings.rounds
    truths = equicorrelated_tasks(tasks, settings.dimension, 0.3)
    print(
        f"p={settings.dimension} n={settings.samples} m={settings.memory} T={tasks}, "
        f"one thread each, {rounds} rounds in turns"
    )
    makers = {"concurrent": concurrent_schedule, "sequential": sequential_schedule}
    with threadpool_limits(1):
        for name, make in makers.items():
            schedule = make(tasks, settings.samples, settings.memory)

            def numba(count: int, seed: int, method: str = "full", s: Schedule = schedule) -> None:
                simulate_errors(
                    Rehearsal(truths, None, None, 0.1, s),
                    repetitions=count,
                    seed=seed,
                    method=method,
                )

            def reduced(count: int, seed: int) -> None:
                numba(count, seed, "reduced")

            def numpy(count: int, seed: int, s: Schedule = schedule) -> None:
                obvious_loop(truths, s, 0.1, count, seed)

            for warm in (numba, reduced, numpy):
                warm(2, 0)
            share = settings.seconds / rounds
            measured = np.array(
                [
                    [rates(run, share, 1000 * k) for run in (numpy, numba, reduced)]
                    for k in range(rounds)
                ]
            )  # rounds x programs x (wall, processor)
            speed = np.median(measured[:, :, 0], axis=0)
            ratio = np.median(measured[:, 1:] / measured[:, :1], axis=0)
            print(
                f"{name:10s}  lstsq {speed[0]:7.1f}/s  "
                f"full {speed[1]:7.1f}/s = {ratio[0, 0]:.1f}x wall, {ratio[0, 1]:.1f}x processor  "
                f"reduced {speed[2]:7.1f}/s = {ratio[1, 0]:.1f}x, {ratio[1, 1]:.1f}x"
            )
        many = np.random.default_rng(0).normal(size=(50, settings.dimension))
        for name in makers:
            times = []
            for _ in range(30):
                start = time.perf_counter()
                expected_errors(Rehearsal(many, 5, 100, 0.1, name))
                times.append(time.perf_counter() - start)
            print(f"expected_errors T=50 {name:10s} {1e3 * np.median(times):.2f} ms")


if __name__ == "__main__":
    main()
