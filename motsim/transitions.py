"""Where experts cease to specialise as tasks grow similar: predictions.

Derived in claims/similarity.py.
"""

import numpy as np

from motsim.presets import PRESETS, gate_rate_rule

__all__ = ["cubic_transition", "race"]


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
    growth = np.sqrt(s["specialise_rate"] * k * (1 - similarity) / np.sqrt(n * max(top, 1e-12)))
    gap = s["init_std"] / np.sqrt(2 * np.log(m))
    ratio = growth / (k * gap)
    boost = ratio / np.arcsinh(ratio) if feedback else 1.0
    values, vectors = np.linalg.eigh((1 - similarity) * np.eye(n) + similarity * np.ones((n, n)))
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    start = np.random.default_rng(0).standard_normal((4000, m, n)) @ root.T
    mean = start.mean(axis=2, keepdims=True)
    winners = np.sort((mean + boost * (start - mean)).argmax(axis=1), axis=1)
    return float((np.diff(winners, axis=1) > 0).all(axis=1).mean())
