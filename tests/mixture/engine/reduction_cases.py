"""Starts far from 0 in seven dimensions, which are trained in fewer coordinates or points."""

from tests.mixture import problems

NOISE = {"num_tokens": 4, "noise_std": 0.4}


def problem(model, seed, **options):
    """A population and a start."""
    far = {"dim": 7, "init_std": 0.6, "attention_scale": 0.7}
    return problems.problem(model, seed, **far, **options)[1:]
