"""Mixtures, populations and samples that cannot be: one clear error each."""

import re

import numpy as np
import pytest

from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.points import population, sample

NOISY = {"noise_std": 0.7, "num_tokens": 5}

BAD = [
    ({"num_classes": 1}, ValueError, "num_classes must be >= 2; got 1"),
    ({"num_classes": 2.0}, TypeError, "num_classes must be an integer; got 2.0"),
    ({"num_classes": True}, TypeError, "num_classes must be an integer; got True"),
    ({"num_classes": "4"}, TypeError, "num_classes must be an integer; got '4'"),
    ({"dim": 7}, ValueError, "dim must be >= 8 (2 * num_classes); got 7"),
    ({"num_tokens": 2}, ValueError, "num_tokens must be >= 3; got 2"),
    (
        {"similarity": 1.0},
        ValueError,
        "similarity must be in [-0.333333, 1) for num_classes = 4; got 1",
    ),
    ({"similarity": -0.34}, ValueError, "similarity must be in [-0.333333, 1)"),
    ({"similarity": float("nan")}, ValueError, "similarity must be in"),
    (
        {"similarity": np.eye(3)},
        ValueError,
        "similarity must be a number or (4, 4); got shape (3, 3)",
    ),
    ({"similarity": np.triu(np.ones((4, 4)))}, ValueError, "similarity must be a symmetric matrix"),
    ({"similarity": 2 * np.eye(4)}, ValueError, "ones on its diagonal"),
    ({"similarity": 1.5 * np.eye(4) - 0.5}, ValueError, "smallest eigenvalue is -0.5"),
    (
        {"class_amplitude": (2.0, 1.0)},
        ValueError,
        "class_amplitude must satisfy 0 < low <= high; got 2 to 1",
    ),
    ({"signal_amplitude": (0.0, 1.0)}, ValueError, "signal_amplitude must satisfy 0 < low"),
    (
        {"distractor_amplitude": (1.0, np.inf)},
        ValueError,
        "distractor_amplitude must be two finite",
    ),
    (
        {"distractor_amplitude": (1.0,)},
        ValueError,
        "distractor_amplitude must be two finite numbers",
    ),
    ({"distractor_amplitude": 1.0}, TypeError, "distractor_amplitude must be two finite numbers"),
    (
        {"distractor_amplitude": ("a", "b")},
        TypeError,
        "each end of distractor_amplitude must be a number; got 'a'",
    ),
    ({"noise_std": -0.1}, ValueError, "noise_std must be finite and >= 0; got -0.1"),
    ({"noise_std": float("nan")}, ValueError, "noise_std must be finite and >= 0; got nan"),
    ({"noise_std": "0.1"}, TypeError, "noise_std must be a number; got '0.1'"),
    ({"similarity": "high"}, TypeError, "similarity must be a number"),
    (
        {"noise_support": "none"},
        ValueError,
        "noise_support must be one of isotropic, class_complement",
    ),
]


@pytest.mark.parametrize(("values", "error", "message"), BAD, ids=lambda v: str(v)[:40])
def test_mixture_refuses(values, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Mixture(**values)


@pytest.mark.parametrize(
    "values",
    [
        {"num_classes": 2, "dim": 4, "similarity": -1.0},
        {"dim": 8, "similarity": -1 / 3},
        {"class_amplitude": [1, 1]},
        {"num_classes": np.int64(3)},
        {"similarity": np.eye(4)},
    ],
    ids=str,
)
def test_mixture_accepts_the_edge_of_the_range(values):
    Mixture(**values)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"num_nodes": 0}, ValueError, "num_nodes must be >= 1; got 0"),
        ({"num_nodes": 1.5}, TypeError, "num_nodes must be an integer; got 1.5"),
        ({"noise_replicates": 0}, ValueError, "noise_replicates must be >= 1; got 0"),
        ({"noise_replicates": 3}, ValueError, "noise_replicates must be 1 or even; got 3"),
        ({"seed": -1, "noise_replicates": 2}, ValueError, "seed must be >= 0"),
    ],
)
def test_population_refuses(options, error, message):
    mixture = Mixture(3, 8, **NOISY)
    with pytest.raises(error, match=re.escape(message)):
        population(mixture, make_signals(mixture), **options)


@pytest.mark.parametrize(
    ("mixture", "options"),
    [
        (Mixture(4, 24, **NOISY), {"noise_replicates": 1_000_000}),
        (Mixture(4, 24), {"num_nodes": 1_000_000}),
        (Mixture(2000, 4000), {}),
    ],
    ids=["replicates", "nodes", "classes"],
)
def test_population_refuses_more_memory_than_it_may_use(mixture, options):
    signals = make_signals(Mixture(2, 4))  # not looked at
    with pytest.raises(ValueError, match=r"the population would have [\d,]+ points of \d x \d+"):
        population(mixture, signals, **options)


@pytest.mark.parametrize("size", [0, -3])
def test_sample_refuses(size):
    mixture = Mixture(3, 8)
    with pytest.raises(ValueError, match=f"size must be >= 1; got {size}"):
        sample(mixture, make_signals(mixture), size)
