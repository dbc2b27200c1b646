"""How the time of a step grows with M, B, d and L; run from the repository's root.

    python tests/benchmarks/scaling.py [--quick]

log(time) is fitted as a line in log(size) over the larger half of the sizes, over all rounds; the
interval is the 95 % t-interval of its slope, so it holds both noise and curvature.
"""

import numpy as np
from machine import say
from part import Requirement, run
from scipy import stats
from step import STAGES, in_single, motsim_seconds, step_counts, step_seconds, typical

from motsim.experiments.mixture.run import Settings, prepare
from motsim.mixture.training import warm_up

# B grows with N at constant span (noise fills all 64 coordinates); at sigma = 0 the span, r = 2N,
# would grow too.
AXES = {
    "M": ("num_experts", (16, 32, 64, 128, 256, 512), {"num_classes": 8}),
    "B": (
        "num_classes", (4, 8, 12, 16, 24, 32), {"dim": 64, "num_tokens": 4, "noise_std": 0.3}
    ),
    "d": ("dim", (24, 48, 96, 192), {"num_tokens": 5, "noise_std": 0.3}),
    "L": ("num_tokens", (4, 6, 8, 12, 16, 24), {"noise_std": 0.3}),
    "J": ("num_neurons", (1, 2, 4, 8, 16, 32), {"num_tokens": 5, "noise_std": 0.3}),
}  # fmt: skip
NEEDED = {"M": 1.05, "B": 1.05}
ROUNDS, TARGET_SECONDS = 3, 0.15
SINGLE = "III, kept in single"


def slope(sizes, seconds):
    """Slope of log(seconds) (rounds x sizes) over the larger half, and its interval."""
    half = sizes >= np.median(sizes)
    x = np.tile(np.log(sizes[half]), len(seconds))
    y = np.log(seconds[:, half]).ravel()
    known = np.isfinite(y)
    if known.sum() < 3 or set(x[known]) != set(x):  # every size counts
        return np.nan, np.nan, np.nan
    fit = stats.linregress(x[known], y[known])
    wide = stats.t.ppf(0.975, known.sum() - 2) * fit.stderr
    return fit.slope, fit.slope - wide, fit.slope + wide


def seconds_of(settings, points, start, stage, steps):
    """Seconds (wall, processor) of a run of one stage, or of the last with less kept."""
    if stage == SINGLE:
        settings, stage = in_single(settings), "III"
    return motsim_seconds(settings, points, start, stage, steps)


def measure(quick):
    """Print the times and slopes; return the requirements."""
    warm_up()
    found = []
    for axis, (field, values, others) in AXES.items():
        values = values[:3] if quick else values
        cells = []
        for value in values:
            settings = Settings(preset="cubic", **others, **{field: value})
            cells.append((settings, *prepare(settings)))
        sizes = np.array(
            [len(c[1].labels) if axis == "B" else v for c, v in zip(cells, values, strict=True)]
        )
        told = ", ".join(f"{k}={v}" for k, v in others.items())
        print(f"\n{axis} = {' '.join(map(str, sizes))} ({told}); wall ms a step")
        for stage in (*STAGES, SINGLE):
            say(f"{axis}, stage {stage}")
            runs = [lambda n, c=c, s=stage: seconds_of(*c, s, n) for c in cells]
            counts = [step_counts(r, 0.02 if quick else TARGET_SECONDS) for r in runs]
            rounds = 1 if quick else ROUNDS
            seconds = np.array(
                [
                    [step_seconds(r, n) for r, n in zip(runs, counts, strict=True)]
                    for _ in range(rounds)
                ]
            )
            wall = [typical(seconds[:, k])[0] for k in range(len(sizes))]
            fits = [slope(sizes, seconds[:, :, k]) for k in (0, 1)]
            told = [f"{b:.2f} [{low:.2f}, {high:.2f}]" for b, low, high in fits]
            times = " ".join(f"{1e3 * t:.3g}" for t in wall)
            print(f"  {stage:20}{times:60} exponent {told[0]}, by processor time {told[1]}")
            if axis in NEEDED:
                found.append(
                    Requirement(
                        f"exponent in {axis}, stage {stage}", NEEDED[axis], fits[0][0], False,
                        f"[{fits[0][1]:.2f}, {fits[0][2]:.2f}]",
                    )
                )  # fmt: skip
    return found


if __name__ == "__main__":
    run(__doc__, measure)
