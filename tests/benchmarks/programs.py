"""The programs that are compared: one three-stage training by motsim, JAX and PyTorch.

Each takes Settings, points and start, and returns seconds (wall and processor) x (stages I, II,
III, total), and the loss curve (steps, losses).
"""

import sys
from pathlib import Path

import jax_baseline
import numpy as np
from machine import HAS_TORCH, timed

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from motsim.experiments.mixture.run import build_model, stages
from motsim.mixture.training import train

if HAS_TORCH:
    import torch_baseline

JAX = {
    "JAX straightforward [1]": {"order": "literal", "cached": False},
    "JAX literal, cached": {"order": "literal", "cached": True},
    "JAX projected [3]": {"order": "projected", "cached": False},
    "JAX projected, cached": {"order": "projected", "cached": True},
    "JAX, no hoisting [2]": {"order": "literal", "cached": False, "hoisting": False},
}
TORCH = {
    "PyTorch straightforward [4]": {"program": "literal", "cached": False},
    "PyTorch literal, cached": {"program": "literal", "cached": True},
    "PyTorch tuned, cached [5]": {"program": "tuned", "cached": True},
}
NOTES = """\
[1] The attention is inside the step and z is formed as the formula is written. XLA notices by
    itself that a frozen attention does not change and moves it out of the loop of stages I and III.
[2] The same where XLA may not (optimization_barrier): the attention recomputed at every step.
[3] w.x first, then the average over tokens: the cheaper order of the same product.
[4] torch.compile of a whole step; the loop is Python's, so the attention is computed every step.
[5] Points last, w.x first, fused sums for the tiny products, five steps a call: the best found."""


def motsim_program(settings, points, start):
    """Total: one call of `train`, its reductions included; then each stage is trained alone."""
    model, schedule = build_model(settings), stages(settings)
    keep = 2 * sum(stage.steps for stage in schedule) + 2  # the loss of every step
    trace, total = timed(lambda: train(model, points, schedule, start, trace_points=keep))
    seconds, value = [], start
    for stage in schedule:
        done, taken = timed(lambda s=stage, v=value: train(model, points, [s], v))
        seconds.append(taken)
        value = done.parameters
    return np.array([*seconds, total]).T, (trace.trace_steps, trace.trace_losses)


def baseline_stages(settings):
    """Return the schedule of the settings for the baselines."""
    schedule = stages(settings)
    return jax_baseline.three_stages(
        [stage.steps for stage in schedule],
        (schedule[0].ffn.rate, schedule[1].attention.rate, schedule[2].ffn.rate),
        schedule[0].gate.rate,
        [stage.routing.scale for stage in schedule],
    )


def baseline_program(library, settings, points, start, options):
    """Total: the sum of the three stages; compilation is not counted, its seconds come last."""
    data = (points.tokens, points.labels, points.weights, start.ffn, start.attention)
    result = library.train(*data, baseline_stages(settings), **options)
    seconds = np.array([result["seconds"], result["processor_seconds"]])
    losses = np.concatenate(result["losses"])
    curve = np.arange(len(losses)), losses
    return np.column_stack([seconds, seconds.sum(axis=1)]), curve, sum(result["compile_seconds"])


def all_programs(settings, points, start):
    """Return label -> program for motsim and every opponent."""
    found = {"motsim": lambda: (*motsim_program(settings, points, start), 0.0)}
    libraries = [(JAX, jax_baseline)] + ([(TORCH, torch_baseline)] if HAS_TORCH else [])
    for options, library in libraries:
        for label, chosen in options.items():
            found[label] = lambda a=library, c=chosen: baseline_program(
                a, settings, points, start, c
            )
    return found


def disagreement(reference, other, early_steps):
    """Largest relative difference of two loss curves: in the early steps, and in all."""
    steps, losses = reference
    common = steps < len(other[1])
    steps, losses = steps[common], losses[common]
    difference = np.abs(other[1][steps] - losses) / np.abs(losses)
    return float(difference[steps < early_steps].max()), float(difference.max())
