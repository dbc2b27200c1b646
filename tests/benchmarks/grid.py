"""A step of every stage over a grid of sizes, by motsim, JAX and PyTorch; run from the root.

    python tests/benchmarks/grid.py [--quick]

Cells change one of (N, M, d, L, J) at a time, then all. No number here is required; the table
shows where motsim's advantage comes from and where it ends.
"""

from functools import partial

import numpy as np
from machine import HAS_TORCH, NO_TORCH, say
from part import run
from rate import fraction_of_dgemm
from step import (
    STAGES,
    baseline_seconds,
    libraries,
    motsim_seconds,
    span,
    step_counts,
    step_seconds,
    typical,
)

from motsim.experiments.mixture.run import Settings, prepare
from motsim.mixture.training import warm_up

FIELDS = ("num_classes", "num_experts", "dim", "num_tokens", "num_neurons")
CELLS = (
    (4, 16, 24, 3, 1),
    (4, 16, 24, 5, 1),
    (12, 16, 24, 5, 1),
    (4, 64, 24, 5, 1),
    (4, 16, 96, 5, 1),
    (4, 16, 24, 12, 1),
    (4, 16, 24, 5, 8),
    (8, 32, 64, 8, 4),
)
LABELS = ("JAX straightforward", "JAX projected, cached", "PyTorch tuned, cached")
ROUNDS, TARGET_SECONDS = 3, 0.04


def measure(quick):
    """Print the grid."""
    warm_up()
    opponents = {label: libraries()[label] for label in LABELS if label in libraries()}
    print("ms a step, medians of rounds in turns: wall (processor), and the ratio to motsim by")
    print("processor time; noise of 0.3 where L > 3; dgemm: share of its rate, by wall time")
    print(
        f"{'N':>3}{'M':>4}{'d':>4}{'L':>4}{'J':>3}{'B':>6} {'':4}{'motsim':>17}{'dgemm':>7}", end=""
    )
    print("".join(f"{label:>28}" for label in opponents))
    for cell in CELLS[: 1 if quick else None]:
        noise = 0.3 if cell[3] > 3 else 0.0
        settings = Settings(preset="cubic", noise_std=noise, **dict(zip(FIELDS, cell, strict=True)))
        points, start = prepare(settings)
        say(f"grid: (N, M, d, L, J) = {cell}")
        for stage in STAGES:
            problem = (settings, points, start, stage)
            runs = {"motsim": partial(motsim_seconds, *problem)}
            for label, chosen in opponents.items():
                runs[label] = partial(baseline_seconds, *chosen, *problem)
            # The same for all, in fives: PyTorch takes five steps a call.
            counts = step_counts(runs["motsim"], TARGET_SECONDS, few=5)
            seconds = {label: [] for label in runs}
            for turn in range(ROUNDS + 1):
                for label, seconds_of in runs.items():
                    taken = step_seconds(seconds_of, counts)
                    if turn:  # the first compiles, and touches memory
                        seconds[label].append(taken)
            own = np.array(seconds["motsim"])
            line = "".join(f"{n:>{w}}" for n, w in zip(cell, (3, 4, 4, 4, 3), strict=True))
            line += f"{len(points.labels):>6} {stage:4}"
            for label, rows in seconds.items():
                wall, spent = 1e3 * typical(rows)
                text = f"{wall:.3f} ({spent:.3f})"
                if label == "motsim":
                    line += f"{text:>17}{share(settings, points, stage, 1e-3 * wall)}"
                else:
                    ratio = typical(np.array(rows) / own)[1]
                    line += f"{f'{text} {ratio:6.1f}':>28}"
            print(line, flush=True)
    if not HAS_TORCH:
        print(NO_TORCH)
    return []


def share(settings, points, stage, seconds):
    """Share of dgemm's rate, as text; none for stage II, whose work is not such products."""
    if stage == "II":
        return " " * 7
    size, length, _ = points.tokens.shape
    sizes = (settings.num_experts, settings.num_neurons, span(points), length, size)
    achieved, dgemm = fraction_of_dgemm(sizes, seconds, shared=stage == "I")
    return f"{achieved / dgemm:6.0%} "


if __name__ == "__main__":
    run(__doc__, measure)
