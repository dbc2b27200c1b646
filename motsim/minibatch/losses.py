"""Loss of outputs (n, C), its gradient, and which outputs are wrong."""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from motsim.vectors.arithmetic import exp
from motsim.vectors.lanes import internal

__all__ = ["LOSSES", "OutputLoss", "check_loss", "loss_and_gradient", "output_loss", "wrong"]

Floats = NDArray[np.float64]
OutputLoss = Literal["squared", "logistic", "cross_entropy"]
LOSSES = ("squared", "logistic", "cross_entropy")


def check_loss(loss: str, num_outputs: int) -> None:
    """Raise ValueError unless the loss fits: cross-entropy for C logits, else the other two."""
    fitting = LOSSES[:2] if num_outputs == 1 else LOSSES[2:]
    if loss not in fitting:
        raise ValueError(
            f"loss must be {' or '.join(fitting)} with {num_outputs} output(s); got {loss!r}"
        )


def loss_and_gradient(
    outputs: Floats, targets: NDArray[np.int64], loss: OutputLoss
) -> tuple[Floats, Floats]:
    """Loss of each sample (n,) and its gradient by the outputs (n, C)."""
    if loss == "cross_entropy":
        chosen = np.arange(len(targets)), targets
        shifted = outputs - outputs.max(axis=1, keepdims=True)
        gradient = np.exp(shifted)
        total = gradient.sum(axis=1)
        gradient /= total[:, None]
        gradient[chosen] -= 1.0
        return np.log(total) - shifted[chosen], gradient
    y = targets[:, None].astype(np.float64)
    if loss == "squared":
        gap = outputs - y
        return 0.5 * gap[:, 0] ** 2, gap
    margin = y * outputs
    return np.logaddexp(0.0, -margin)[:, 0], -y * expit(-margin)


@internal
def output_loss(outputs: Any, target: int, kind: int) -> float:
    """Loss of one sample's outputs (C,), which become its gradient; kind: its index in LOSSES."""
    if kind == 0:
        outputs[0] -= target
        return 0.5 * outputs[0] * outputs[0]
    if kind == 1:
        margin = target * outputs[0]
        small = exp(-abs(margin))
        outputs[0] = -target * (small if margin > 0.0 else 1.0) / (1.0 + small)
        return max(-margin, 0.0) + np.log1p(small)
    largest = outputs[0]
    for c in range(1, outputs.size):
        largest = max(largest, outputs[c])
    total, chosen = 0.0, outputs[target] - largest
    for c in range(outputs.size):
        outputs[c] = exp(outputs[c] - largest)
        total += outputs[c]
    for c in range(outputs.size):
        outputs[c] /= total
    outputs[target] -= 1.0
    return np.log(total) - chosen


def wrong(outputs: Floats, targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether each sample is misclassified; an output of 0 counts as wrong, and so does NaN."""
    if outputs.shape[1] > 1:
        missed = outputs.argmax(axis=1) != targets
        return np.asarray(missed | ~np.isfinite(outputs).all(axis=1))
    return np.asarray(~(outputs[:, 0] * targets > 0.0))
