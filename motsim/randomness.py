"""Random streams: one integer seed a run, one independent stream a purpose."""

import numpy as np

from motsim.checks import check_choice

__all__ = ["PURPOSES", "generator"]

PURPOSES = ("signals", "weights", "noise", "routing", "sampling", "bootstrap", "evaluation")


def generator(seed: int, purpose: str) -> np.random.Generator:
    """Return the stream of one purpose of one run.

    Streams of different purposes are independent, and none depends on the order in which they
    are asked for, so switching a feature on never shifts the numbers another one sees.

    Parameters
    ----------
    seed : int
        The run's seed, non-negative.
    purpose : str
        One of `PURPOSES`.

    Raises
    ------
    ValueError
        If the seed is negative or the purpose unknown.
    """
    check_choice("purpose", purpose, PURPOSES)
    if seed < 0:
        raise ValueError(f"seed must be >= 0; got {seed}")
    key = (PURPOSES.index(purpose),)
    return np.random.default_rng(np.random.SeedSequence(entropy=seed, spawn_key=key))
