"""Exact reductions of a training problem: fewer coordinates, and half the points.

Coordinates: gradients lie in the span of the tokens, so descent never leaves (start + span).
Mirror: an odd model (w orthogonal to every class signal, A and the gate block-wise) stays odd on
a mirrored population, and each point contributes what its mirror does. Derived here:
docs/theory.md §3, "Exact reductions".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim import kernels
from motsim.data import Signals
from motsim.layout import kernel_batch, kernel_parameters
from motsim.model import Model, ModelParameters
from motsim.points import Points

__all__ = ["Reduction", "reduce_problem"]

Floats = NDArray[np.float64]
TOLERANCE = 1e-12
ROUNDING = 1e-14


@dataclass(frozen=True)
class Reduction:
    """A training problem in r <= d coordinates.

    Attributes
    ----------
    basis : (d, r) array
        Orthonormal; the first `class_coordinates` columns are the class signals; the
        classification signals follow if all signals are orthonormal.
    batch : kernels.Batch
    odd : bool
        Half the points stand for all, and odd parameters are kept odd exactly.
    class_coordinates : int
    """

    basis: Floats
    batch: kernels.Batch
    odd: bool
    class_coordinates: int

    @np.errstate(over="ignore", invalid="ignore")  # a diverged run is recorded, not warned of
    def project(self, parameters: ModelParameters) -> kernels.Parameters:
        """Return the parameters in reduced coordinates; exactly odd ones if `odd`."""
        e, n = self.basis, self.class_coordinates
        small = kernel_parameters(
            ModelParameters(parameters.ffn @ e, e.T @ parameters.attention @ e, parameters.gate @ e)
        )
        if self.odd:
            small.ffn[:, :n] = 0.0
            small.gate[:, n:] = 0.0
            small.attention[:, :n, n:] = 0.0
            small.attention[:, n:, :n] = 0.0
        return small

    @np.errstate(over="ignore", invalid="ignore")
    def lift(
        self,
        value: kernels.Parameters,
        start: ModelParameters,
        first: kernels.Parameters | None = None,
    ) -> ModelParameters:
        """Return full parameters: the start, moved by what happened in the span.

        `first` is the projected start, for a caller that has it.
        """
        e = self.basis
        first = first or self.project(start)
        ffn = start.ffn + ((value.ffn - first.ffn) @ e.T).reshape(start.ffn.shape)
        attention = start.attention + e @ (value.attention - first.attention) @ e.T
        return ModelParameters(ffn, attention, start.gate + (value.gate - first.gate) @ e.T)


def reduce_problem(
    model: Model, points: Points, start: ModelParameters, *, use_mirror: bool = True
) -> Reduction:
    """Find the coordinates, and use the mirror where points and start allow it.

    Parameters
    ----------
    model, points, start
    use_mirror : bool
        False keeps every point (sampled routing draws different noise for mirror points).
    """
    n = len(points.signals.class_signals)
    flat = points.tokens.reshape(-1, points.tokens.shape[-1])
    known = _axes(points.signals)
    rest = flat - (flat @ known.T) @ known
    scale = max(float(np.abs(flat).max()), 1.0)
    basis = np.ascontiguousarray(np.concatenate([known, _directions(rest, scale)]).T)
    tokens = points.tokens @ basis
    tokens[np.abs(tokens) <= ROUNDING * scale] = 0.0  # on an axis to rounding: on it
    odd = use_mirror and points.mirrored and _mirror_holds(points, tokens, n)
    odd = odd and _is_odd(start, basis, n)
    if not odd:
        batch = kernel_batch(tokens, points.labels, points.weights)
        return Reduction(basis, batch, False, n)
    half = len(tokens) // 2
    batch = kernel_batch(tokens[:half], points.labels[:half], 2.0 * points.weights[:half])
    return Reduction(basis, batch, True, n)


def _axes(signals: Signals) -> Floats:
    """Orthonormal rows to begin the basis with: all signals if they are, else the class signals."""
    both = np.concatenate([signals.class_signals, signals.classification_signals])
    if np.abs(both @ both.T - np.eye(len(both))).max() <= ROUNDING:
        return both
    return signals.class_signals


def _directions(rest: Floats, scale: float) -> Floats:
    """Orthonormal rows that span the rows of `rest`, up to rounding of numbers of size `scale`."""
    # No singular value exceeds the Frobenius norm: rounding is told without sort and factors.
    if np.linalg.norm(rest) < TOLERANCE * scale:
        return rest[:0]
    _, values, rows = np.linalg.svd(np.unique(rest, axis=0), full_matrices=False)
    found: Floats = rows[values > TOLERANCE * max(values[0], scale)]
    return found


def _mirror_holds(points: Points, tokens: Floats, n: int) -> bool:
    half = len(tokens) // 2
    labels, weights = points.labels, points.weights
    if not (
        np.array_equal(labels[:half], -labels[half:]) and (weights[:half] == weights[half:]).all()
    ):
        return False
    image = tokens[:half].copy()
    image[..., n:] *= -1.0
    return bool(np.abs(image - tokens[half:]).max() <= TOLERANCE * np.abs(tokens).max())


@np.errstate(over="ignore", invalid="ignore")
def _is_odd(start: ModelParameters, basis: Floats, n: int) -> bool:
    c, v = basis[:, :n], basis[:, n:]
    cross = [
        (start.ffn @ c, start.ffn),
        (start.gate @ v, start.gate),
        (c.T @ start.attention @ v, start.attention),
        (v.T @ start.attention @ c, start.attention),
    ]
    return all(
        not part.size or np.abs(part).max() <= TOLERANCE * np.abs(whole).max()
        for part, whole in cross
    )
