"""What a trained model does: specialization, routing, coverage, curvature, gradient conflict.

Every function takes parameters and points, never a training loop; entropies are in nats.
"""

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.data import Signals
from motsim.mixture.evaluation import Evaluation
from motsim.mixture.model import ModelParameters
from motsim.mixture.points import Points

__all__ = [
    "coverage",
    "dispatch",
    "dispatch_entropy",
    "expert_alignment",
    "expert_classes",
    "routing_accuracy",
]

Floats = NDArray[np.float64]
DOMINANCE = 2.0  # an expert is specialized when its largest alignment is this many times the next


def dispatch(evaluation: Evaluation, points: Points) -> Floats:
    """Share (M, N) of the population routed to expert i with class n; sums to 1."""
    shares = np.zeros((evaluation.logits.shape[1], points.num_classes))
    np.add.at(shares, (evaluation.routed, points.classes), points.weights)
    return shares


def dispatch_entropy(shares: Floats) -> float:
    """Entropy of the class given the expert, averaged over the routed population.

    0 when each expert receives one class only, log N when routing ignores the class.
    Source: arXiv:2208.02813, section 5 (the dispatch entropy of their experiments).
    """
    load = shares.sum(axis=1, keepdims=True)
    conditional = np.divide(shares, load, out=np.zeros_like(shares), where=load > 0)
    logs = np.log(np.where(conditional > 0, conditional, 1.0))
    return float(max(0.0, -(shares * logs).sum()))


def expert_alignment(parameters: ModelParameters, signals: Signals) -> Floats:
    """Largest |<w_ij, v_n>| over the neurons of expert i, (M, N)."""
    return np.abs(parameters.ffn @ signals.classification_signals.T).max(axis=1)


def expert_classes(alignment: Floats, dominance: float = DOMINANCE) -> NDArray[np.int64]:
    """Class each expert specializes in, -1 where no alignment dominates the next (M,)."""
    order = np.sort(alignment, axis=1)
    best = alignment.argmax(axis=1)
    return np.where(order[:, -1] > dominance * order[:, -2], best, -1)


def routing_accuracy(evaluation: Evaluation, points: Points, classes: NDArray[np.int64]) -> float:
    """P[m(X) in M_n]: share of the population routed to an expert specialized in its class."""
    right = classes[evaluation.routed] == points.classes
    return float(min(1.0, points.weights[right].sum()))  # weights sum to 1 up to rounding


def coverage(shares: Floats, classes: NDArray[np.int64]) -> int:
    """Number of classes n with a routed expert specialized in n."""
    routed = shares.sum(axis=1) > 0
    return len({int(n) for n in classes[routed] if n >= 0})
