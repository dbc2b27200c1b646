"""Benchmark of three-stage training against JAX and PyTorch; run from the repository's root.

    python tests/benchmarks/engine.py [--quick]

One process and one core: N = 4 classes and M = 16 cubic experts through (2000, 200, 2000) steps by
motsim and by the programs of ``jax_baseline.py`` and ``torch_baseline.py``, in turns. The losses of
all programs are compared with motsim's at every step.
"""

import numpy as np
from machine import HAS_TORCH, NO_TORCH, say
from part import Requirement, run
from programs import NOTES, all_programs, disagreement

from motsim.experiments.mixture.run import Settings, prepare
from motsim.mixture.training import warm_up

SETTINGS = {  # and the ratio required of straightforward JAX and PyTorch
    "L=3, sigma=0": ({"num_tokens": 3, "noise_std": 0.0}, 30.0),
    "L=5, sigma=0.3": ({"num_tokens": 5, "noise_std": 0.3}, 6.0),
}
STEPS, QUICK_STEPS, ROUNDS = (2000, 200, 2000), (60, 20, 60), 5
REQUIRED = ("JAX straightforward [1]", "PyTorch straightforward [4]")
# Slow: fewer rounds.
FEWER = {"JAX, no hoisting [2]": 1, "PyTorch straightforward [4]": 3}
STAGE_STEPS = ("specialize_steps", "align_steps", "converge_steps")
# While experts leave their small start, rounding grows with every other small difference: two of
# the JAX programs, equal but for the order of one product, separate by up to 5e-8 (seeds 0 to 2).
EARLY_STEPS, EARLY_TOLERANCE, TOLERANCE = 500, 1e-12, 1e-6


def compare(name, overrides, needed, steps, rounds):
    """Run every program in turns on one setting, and print; return the requirements."""
    lengths = dict(zip(STAGE_STEPS, steps, strict=True))
    settings = Settings(preset="cubic", **overrides, **lengths)
    points, start = prepare(settings)
    programs = all_programs(settings, points, start)
    curves, seconds, compiling = {}, {label: [] for label in programs}, {}
    for turn in range(rounds):
        say(f"{name}: round {turn + 1} of {rounds}")
        for label, program in programs.items():
            if turn < FEWER.get(label, rounds):
                taken, curve, compiled = program()
                seconds[label].append(taken)
                compiling[label] = compiling.get(label, 0.0) + compiled
                curves.setdefault(label, curve)

    size, length, dim = points.tokens.shape
    print(f"\n{name}: {size} points of {length} tokens in {dim} dimensions; steps {tuple(steps)},")
    print(f"{rounds} rounds in turns, one thread, one core")
    pairs = [disagreement(curves["motsim"], c, EARLY_STEPS) for c in curves.values()]
    early, whole = np.max(pairs, axis=0)
    print(
        f"{'':28}{'wall ms a step':^24}{'total s':^16}{'ratio to motsim (range)':^34}{'compile':>9}"
    )
    columns = f"{'I':>8}{'II':>8}{'III':>8}{'wall':>8}{'proc.':>8}{'wall':>18}{'processor':>17}"
    print(f"{'':28}{columns}{'s':>8}")
    own = np.array(seconds["motsim"])  # rounds x (wall, processor) x (I, II, III, total)
    ratios = {}
    for label, rows in seconds.items():
        each = np.array(rows)
        wall, spent = np.median(each, axis=0)
        ratio = each[:, :, 3] / own[: len(each), :, 3]
        ratios[label] = np.median(ratio, axis=0)
        line = "".join(f"{1e3 * t / n:8.3f}" for t, n in zip(wall, steps, strict=False))
        line += f"{wall[3]:8.3f}{spent[3]:8.3f}"
        for r in ratio.T:
            line += f"{np.median(r):7.1f} {f'({r.min():.1f}-{r.max():.1f})':>11}"
        print(f"{label:28}{line}{compiling[label]:7.1f}")
    found = [
        Requirement(f"{name}: losses, steps < {EARLY_STEPS}", EARLY_TOLERANCE, early, False),
        Requirement(f"{name}: losses, all steps", TOLERANCE, whole, False),
    ]
    for label in REQUIRED:
        if label in ratios:
            wall, spent = ratios[label]
            note = f"by processor time {spent:.1f}"
            found.append(Requirement(f"{name}: total, {label[:-4]}", needed, wall, note=note))
    return found


def measure(quick):
    """Print the tables of both settings; return the requirements."""
    warm_up()
    steps, rounds = (QUICK_STEPS, 1) if quick else (STEPS, ROUNDS)
    found = []
    for name, (overrides, needed) in SETTINGS.items():
        found += compare(name, overrides, needed, steps, rounds)
    print(f"""
Medians over the rounds; a ratio is taken within a round. Processor time is disturbed less by other
work on the machine. motsim's total is one call of train(), its reductions included; its stages
were then timed alone. Other totals are the sums of their stages, compilation excluded (its
seconds are in the last column; PyTorch finds parts of it in its cache on disk the second time).
{NOTES}""")
    if not HAS_TORCH:
        print(NO_TORCH)
    return found


if __name__ == "__main__":
    run(__doc__, measure)
