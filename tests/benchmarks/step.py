"""Time of one step of one stage, without what a run does once.

Programs are run with few and with many steps; the difference of the times, divided by that of the
steps, is a step. It leaves out reductions, caching of a frozen attention, and compilation.
"""

from dataclasses import replace

import jax_baseline
import numpy as np
from machine import HAS_TORCH, timed
from programs import train

from motsim.experiments.mixture.run import build_model, stages
from motsim.mixture.model import ModelParameters

if HAS_TORCH:
    import torch_baseline

STAGES = ("I", "II", "III")
MOST_STEPS = 4000


def own_attention(start, seed=0):
    """The start with a different attention for every expert, as stage II leaves it."""
    noise = np.random.default_rng(seed).standard_normal(start.attention.shape)
    attention = start.attention + 0.3 * noise / np.sqrt(noise.shape[-1])
    return ModelParameters(start.ffn, attention, start.gate)


def start_of(stage, start):
    """Where stages I and II begin, all attentions are equal; not so in stage III."""
    return own_attention(start) if stage == "III" else start


def motsim_seconds(settings, points, start, stage, steps):
    """Seconds (wall, processor) of a run of one stage."""
    chosen = replace(stages(settings)[STAGES.index(stage)], steps=steps)
    begin = start_of(stage, start)
    return timed(lambda: train(build_model(settings), points, [chosen], begin))[1]


def in_single(settings):
    """The same, with the attention that stage III keeps in single precision."""
    return settings.model_copy(update={"kept_attention": "single"})


def baseline_seconds(library, options, settings, points, start, stage, steps):
    """The same for a baseline, compilation excluded."""
    schedule = stages(settings)
    plan = jax_baseline.three_stages(
        [steps] * 3,
        (schedule[0].ffn.rate, schedule[1].attention.rate, schedule[2].ffn.rate),
        schedule[0].gate.rate,
        [s.routing.scale for s in schedule],
    )
    begin = start_of(stage, start)
    data = (points.tokens, points.labels, points.weights, begin.ffn, begin.attention)
    done = library.train(*data, [plan[STAGES.index(stage)]], **options)
    return np.array([done["seconds"][0], done["processor_seconds"][0]])


def step_counts(seconds_of, target, few=1):
    """Few and many steps, multiples of `few`, whose difference is resolved.

    It takes about `target` seconds, and three times as long as what is done once, whose noise
    would otherwise be a large part of it.
    """
    many = 2 * few
    while True:
        once = seconds_of(few)[0]
        taken = seconds_of(many)[0] - once
        if taken >= 0.3 * max(target, once) or many >= MOST_STEPS:
            step = max(taken, 1e-9) / (many - few)
            wanted = round(max(target, 3.0 * once) / step / few)
            return few, few + few * int(np.clip(wanted, 1, MOST_STEPS // few))
        many = few + 4 * (many - few)


def step_seconds(seconds_of, counts):
    """Seconds (wall, processor) of a step; NaN where the difference says nothing.

    What is done once can take many times as long as a step, and its noise is then larger than the
    difference: one below two fifths of the longer run is no measurement, nor is a wall time below
    the processor time of its one thread.
    """
    few, many = counts
    longer = seconds_of(many)
    difference = longer - seconds_of(few)
    if (difference < 0.4 * longer).any() or difference[0] < 0.95 * difference[1]:
        return np.full(2, np.nan)
    return difference / (many - few)


def typical(rows):
    """Median over the rounds that were resolved; NaN if none was."""
    rows = np.asarray(rows, dtype=float)
    rows = rows[np.isfinite(rows).all(axis=1)]
    return np.median(rows, axis=0) if len(rows) else np.full(2, np.nan)


def span(points):
    """Dimension r of the span of tokens and class signals."""
    tokens = np.unique(points.tokens.reshape(-1, points.tokens.shape[-1]), axis=0)
    return int(np.linalg.matrix_rank(np.concatenate([points.signals.class_signals, tokens])))


def libraries():
    """Opponents on larger problems: label -> (library, options), the best of each last."""
    found = {
        "JAX straightforward": (jax_baseline, {"order": "literal", "cached": False}),
        "JAX projected": (jax_baseline, {"order": "projected", "cached": False}),
        "JAX literal, cached": (jax_baseline, {"order": "literal", "cached": True}),
        "JAX projected, cached": (jax_baseline, {"order": "projected", "cached": True}),
    }
    if HAS_TORCH:
        found["PyTorch tuned, cached"] = (torch_baseline, {"program": "tuned", "cached": True})
    return found
