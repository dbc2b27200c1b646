"""Where experts cease to specialize as tasks grow similar: predictions, and how to measure it.

Derived in claims/similarity.py.
"""

import numpy as np

from motsim.mixture.presets import PRESETS, gate_rate_rule

__all__ = ["area", "crossing", "cubic_transition", "race"]


def cubic_transition(num_classes: int) -> float:
    """Similarity rho_c above which no cubic expert can hold one class."""
    return float(1.0 / (1.0 + 2.0 * np.sqrt(num_classes - 1)))


def race(similarity: float, num_classes: int, num_experts: int, *, feedback: bool = True) -> float:
    """Probability that N classes choose N different linear experts.

    Monte Carlo with 4,000 fixed draws; `feedback` False sets r = 1.
    """
    s, n, m = PRESETS["linear"], num_classes, num_experts
    top = 1.0 + (n - 1) * similarity
    k = gate_rate_rule("linear", n, m) * (1 + 1 / s["routing_scale"]) / (n * m**2)
    growth = np.sqrt(s["specialize_rate"] * k * (1 - similarity) / np.sqrt(n * max(top, 1e-12)))
    gap = s["init_std"] / np.sqrt(2 * np.log(m))
    ratio = growth / (k * gap)
    boost = ratio / np.arcsinh(ratio) if feedback else 1.0
    values, vectors = np.linalg.eigh((1 - similarity) * np.eye(n) + similarity * np.ones((n, n)))
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    start = np.random.default_rng(0).standard_normal((4000, m, n)) @ root.T
    mean = start.mean(axis=2, keepdims=True)
    winners = np.sort((mean + boost * (start - mean)).argmax(axis=1), axis=1)
    return float((np.diff(winners, axis=1) > 0).all(axis=1).mean())


def crossing(values: np.ndarray, similarity: np.ndarray) -> float:
    """Similarity where the mean share (S, R) falls through 1/2; NaN if it does not.

    The mean is made monotone by running pools from its top, then interpolated.
    """
    if not len(values):
        return float("nan")
    mean = values.mean(axis=0)
    start = int(mean.argmax())
    above, below = np.minimum.accumulate(mean[start:]), np.maximum.accumulate(mean[start:][::-1])
    mean, rho = (above + below[::-1]) / 2, similarity[start:]
    if mean[0] < 0.5 or mean[-1] > 0.5:
        return float("nan")
    i = int(np.flatnonzero(mean >= 0.5)[-1])
    if i + 1 == len(mean):
        return float(rho[i])
    weight = (mean[i] - 0.5) / (mean[i] - mean[i + 1])
    return float(rho[i] + weight * (rho[i + 1] - rho[i]))


def area(chance: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """Similarity at which specialization ends, on average: first rho + integral of the share."""
    gaps = np.diff(similarity)
    return np.asarray(similarity[0] + ((chance[..., 1:] + chance[..., :-1]) / 2 * gaps).sum(-1))
