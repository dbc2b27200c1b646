"""A step of every stage of a larger problem, against JAX and PyTorch; run from the root.

    python tests/benchmarks/larger.py [--quick]

N = 16, M = 64, d = 64, L = 16, sigma = 0.3: with the default `num_nodes` = 4 and one noise
replicate, 4 N (N - 1) 4 = 3,840 points, of which the mirror halves none (isotropic noise; but a
point and its mirror share their products, docs/theory.md §3). Stages I and II start where a run
starts, with equal attentions; stage III has another one for every expert.

The opponent is JAX with w.x first and the attention inside the step. The literal program is no fair
one at this size: XLA does not move its z of 2 GB out of the loop, and a step with frozen attention
takes some 1.8 s of processor time, fifteen times as long. Needs about 12 GB for the opponents'
stage II.
"""

import numpy as np
from machine import HAS_TORCH, NO_TORCH, say
from part import Requirement, run
from rate import fraction_of_dgemm
from step import (
    STAGES,
    baseline_seconds,
    in_single,
    libraries,
    motsim_seconds,
    step_seconds,
    typical,
)

from motsim.experiments.mixture.run import Settings, prepare
from motsim.mixture.training import warm_up

SETTINGS = {"num_classes": 16, "num_experts": 64, "dim": 64, "num_tokens": 16, "noise_std": 0.3}
QUICK = {"num_classes": 4, "num_experts": 8, "dim": 24, "num_tokens": 5, "noise_std": 0.3}
NEEDED = {"I": 4.0, "III": 4.0, "II": 10.0}
NEEDED_FRACTION, ROUNDS = 0.5, 2
OPPONENT, TOO_EASY = "JAX projected", "JAX straightforward"
SINGLE = "motsim, kept in single"


def stage_programs(settings, points, start, stage):
    """Label -> seconds of a step."""
    # What is done once takes seconds here, also the first pages of JAX's arrays; see step_seconds.
    counts = (1, 4) if stage == "II" else (1, 161)
    others = (1, 4) if stage == "II" else (1, 41)
    own = lambda n: motsim_seconds(settings, points, start, stage, n)  # noqa: E731
    found = {"motsim": lambda: step_seconds(own, counts)}
    if stage == "III":
        single = lambda n: motsim_seconds(in_single(settings), points, start, stage, n)  # noqa: E731
        found[SINGLE] = lambda: step_seconds(single, counts)
    for label, (library, options) in libraries().items():
        if label == TOO_EASY or (stage == "II" and label.startswith("JAX") and "cached" in label):
            continue  # in stage II nothing is frozen to be cached

        def seconds(n, library=library, options=options):
            return baseline_seconds(library, options, settings, points, start, stage, n)

        found[label] = lambda f=seconds: if_memory_allows(lambda: step_seconds(f, others))
    return found


def if_memory_allows(measured):
    """Seconds of an opponent, NaN if it asks for more memory than there is (PyTorch, stage III)."""
    try:
        return measured()
    except (MemoryError, RuntimeError) as error:
        if "memory" not in str(error).lower():
            raise
        say(str(error).splitlines()[0])
        return np.full(2, np.nan)


def measure(quick):
    """Print a table of the stages; return the requirements."""
    warm_up()
    settings = Settings(preset="cubic", **(QUICK if quick else SETTINGS))
    points, start = prepare(settings)
    size, length, dim = points.tokens.shape
    experts = settings.num_experts
    print(f"N={settings.num_classes}, M={experts}, d={dim}, L={length}, sigma=0.3: {size} points")
    print(
        "wall ms a step (processor ms), medians of rounds in turns; ratios to motsim;"
        " nan: not resolved"
    )
    found = []
    for stage in STAGES:
        programs = stage_programs(settings, points, start, stage)
        rounds = 1 if quick or stage == "II" else ROUNDS
        seconds = {label: [] for label in programs}
        for turn in range(rounds):
            for label, program in programs.items():
                say(f"stage {stage}, round {turn + 1} of {rounds}: {label}")
                seconds[label].append(program())
        own = np.array(seconds["motsim"])
        for label, rows in seconds.items():
            each = np.array(rows)
            wall, spent = 1e3 * typical(each)
            ratio = typical(each) / typical(own)
            print(
                f"  {stage:4}{label:26}{wall:10.1f} ({spent:8.1f})  {ratio[0]:6.1f} {ratio[1]:6.1f}"
            )
            if label == SINGLE:
                opponent = typical(np.array(seconds[OPPONENT])) / typical(each)
                found.append(
                    Requirement(
                        f"larger, stage {stage}, kept in single: {OPPONENT}", NEEDED[stage],
                        opponent[0], note=f"by processor time {opponent[1]:.1f}",
                    )
                )  # fmt: skip
            if label == OPPONENT:
                found.append(
                    Requirement(
                        f"larger, stage {stage}: {label}", NEEDED[stage], ratio[0],
                        note=f"by processor time {ratio[1]:.1f}",
                    )
                )  # fmt: skip
        if stage != "II":
            sizes = (experts, settings.num_neurons, dim, length, size)
            shared = stage == "I"
            wall, spent = typical(own)
            achieved, dgemm = fraction_of_dgemm(sizes, wall, shared=shared)
            print(
                f"      {achieved / 1e9:.1f} of dgemm's {dgemm / 1e9:.1f} Gflop/s"
                f" ({'one z for all experts' if shared else 'an attention for each expert'})"
            )
            share = achieved / dgemm
            found.append(
                Requirement(
                    f"larger, stage {stage}: fraction of dgemm", NEEDED_FRACTION,
                    share, note=f"by processor time {share * wall / spent:.2f}",
                )
            )  # fmt: skip
    if not HAS_TORCH:
        print(NO_TORCH)
    return found


if __name__ == "__main__":
    run(__doc__, measure)
