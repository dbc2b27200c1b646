"""Exact reductions of a training problem: fewer coordinates, and half the points.

Coordinates: gradients lie in the span of the tokens, so descent never leaves (start + span). They
are the products with every signal, also where signals are not orthogonal: each signal token is
then a multiple of one axis, and a step goes along the gradient times the signals' Gram matrix.
Equal points are one of their total weight.
Mirror: points come in pairs whose tokens differ in sign but for the class token, and share what the
kernels compute of tokens alone (`layout`). An odd model (w orthogonal to every class signal, A and
the gate block-wise) stays odd on a mirrored population, and each point contributes what its mirror
does. Derived here: docs/theory.md §3, "Exact reductions".
Both are exact for every rule that turns with the coordinates: plain and normalized descent and
momentum, but not Adam, which goes coordinate by coordinate and leaves the span of the gradients.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.data import Signals
from motsim.mixture.engine.layout import kernel_batch, kernel_parameters
from motsim.mixture.model import Model, ModelParameters
from motsim.mixture.points import Points
from motsim.mixture.schedule import Stage

__all__ = ["Reduction", "problem_of", "reduce_problem", "whole_problem"]

Floats = NDArray[np.float64]
TOLERANCE = 1e-12
ROUNDING = 1e-14
#: Signals whose Gram matrix has a smaller eigenvalue are not coordinates: rounding would grow.
INDEPENDENT = 1e-3


@dataclass(frozen=True)
class Reduction:
    """A training problem in r <= d coordinates.

    Attributes
    ----------
    directions : (d, r) array
        Whose products with the parameters are the coordinates; a basis of the span of the tokens.
        The first `class_coordinates` columns are the class signals, or orthonormal where these are
        nearly dependent; the classification signals follow if they are independent; the rest is
        orthonormal.
    dual : (d, r) array
        Of the same span, with products delta_ab with the directions: tokens x have the coordinates
        ``x @ dual``. Equal to `directions` where these are orthonormal.
    batch : kernels.Batch
    odd : bool
        Half the points stand for all, and odd parameters are kept odd exactly.
    class_coordinates : int
    """

    directions: Floats
    dual: Floats
    batch: kernels.Batch
    odd: bool
    class_coordinates: int

    @property
    def whole(self) -> bool:
        """Whether the coordinates are those of the data: nothing was turned, nothing left out."""
        return not self.odd and np.array_equal(self.directions, np.eye(len(self.directions)))

    @np.errstate(over="ignore", invalid="ignore")  # a diverged run is recorded, not warned of
    def project(self, parameters: ModelParameters) -> kernels.Parameters:
        """Return the parameters in reduced coordinates; exactly odd ones if `odd`."""
        if self.whole:  # not only faster: what is not finite stays where it is
            return kernel_parameters(parameters)
        e, n = self.directions, self.class_coordinates
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
        e = self.dual
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
    flat = points.tokens.reshape(-1, points.tokens.shape[-1])
    scale = max(float(np.abs(flat).max()), 1.0)
    known, independent, n = _known(points.signals)
    rest = _directions(flat - (flat @ independent.T) @ known, scale)
    directions, dual = (
        np.ascontiguousarray(np.concatenate([part, rest]).T) for part in (known, independent)
    )
    tokens = points.tokens @ dual
    metric, grown = None, 1.0
    if independent is not known:
        metric = np.eye(dual.shape[1])  # whose zeros are exact: odd parameters stay odd
        for block in (slice(n), slice(n, len(known))):
            gram = known[block] @ known[block].T
            if not _orthonormal(gram):
                metric[block, block] = gram
        grown = float(np.linalg.norm(dual, 2))
    tokens[np.abs(tokens) <= ROUNDING * scale * grown] = 0.0  # on an axis to rounding: on it
    odd = use_mirror and points.mirrored and _mirror_holds(points, tokens, n)
    odd = odd and _is_odd(start, directions, n)
    if not odd:
        labels, point_weights = points.labels, points.weights
        if use_mirror and not points.mirrored:  # a population holds no equal points
            tokens, labels, point_weights = _merged(tokens, labels, point_weights)
        paired = use_mirror and points.mirrored and _pair_mirrors(tokens)
        batch = kernel_batch(tokens, labels, point_weights, metric, paired)
        return Reduction(directions, dual, batch, False, n)
    half = len(tokens) // 2
    batch = kernel_batch(tokens[:half], points.labels[:half], 2.0 * points.weights[:half], metric)
    return Reduction(directions, dual, batch, True, n)


def problem_of(
    stages: Sequence[Stage],
    model: Model,
    points: Points,
    start: ModelParameters,
    *,
    use_mirror: bool = True,
) -> Reduction:
    """Return the problem in the fewest coordinates in which every stage is exact."""
    parts = (part for s in stages for part in (s.ffn, s.attention, s.gate))
    if any(part.optimizer == "adam" and part.trains for part in parts):
        return whole_problem(points, use_mirror=use_mirror)
    return reduce_problem(model, points, start, use_mirror=use_mirror)


def whole_problem(points: Points, *, use_mirror: bool = True) -> Reduction:
    """Return the problem in the data's own coordinates, all points kept: what Adam needs."""
    every, tokens = np.eye(points.tokens.shape[-1]), points.tokens.copy()
    paired = use_mirror and points.mirrored and _pair_mirrors(tokens)
    batch = kernel_batch(tokens, points.labels, points.weights, None, paired)
    return Reduction(every, every, batch, False, len(points.signals.class_signals))


def _known(signals: Signals) -> tuple[Floats, Floats, int]:
    """Rows to begin the directions with, their dual rows, and how many span the class signals.

    All signals where they are independent and class signals orthogonal to classification signals,
    else an orthonormal basis of the class signals. Rows and dual rows are one array if orthonormal.
    """
    c, v = signals.class_signals, signals.classification_signals
    both = np.concatenate([c, v])
    n, gram = len(c), both @ both.T
    if _orthonormal(gram):
        return both, both, n
    parts = [(c, gram[:n, :n]), (v, gram[n:, n:])]
    apart = np.abs(gram[:n, n:]).max() <= ROUNDING
    if apart and all(np.linalg.eigvalsh(g)[0] >= INDEPENDENT for _, g in parts):
        dual = [x if _orthonormal(g) else np.linalg.solve(g, x) for x, g in parts]
        return both, np.concatenate(dual), n
    basis = signals.class_basis()
    return basis, basis, len(basis)


def _orthonormal(gram: Floats) -> bool:
    return bool(np.abs(gram - np.eye(len(gram))).max() <= ROUNDING)


def _directions(rest: Floats, scale: float) -> Floats:
    """Orthonormal rows that span the rows of `rest`, up to rounding of numbers of size `scale`."""
    # No singular value exceeds the Frobenius norm: rounding is told without sort and factors.
    if np.linalg.norm(rest) < TOLERANCE * scale:
        return rest[:0]
    _, values, rows = np.linalg.svd(np.unique(rest, axis=0), full_matrices=False)
    found: Floats = rows[values > TOLERANCE * max(values[0], scale)]
    return found


def _merged(tokens: Floats, labels: Floats, point_weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Points of which equal ones are one, with their total weight, in the order of the first."""
    rows = np.column_stack([tokens.reshape(len(tokens), -1), labels])
    _, first, which = np.unique(rows, axis=0, return_index=True, return_inverse=True)
    if len(first) == len(rows):
        return tokens, labels, point_weights
    order = np.argsort(first)
    kept, totals = first[order], np.zeros(len(first))
    np.add.at(totals, which.ravel(), point_weights)  # of shape (B, 1) in numpy 2.0
    return tokens[kept], labels[kept], totals[order]


def _pair_mirrors(tokens: Floats) -> bool:
    """Make the second half's tokens the negatives of the first's but the class token, if they are.

    To rounding before, exactly afterwards; whatever the span of the noise.
    """
    half = len(tokens) // 2
    image = -tokens[:half] + 0.0  # no -0.0
    image[:, 0] = tokens[:half, 0]
    if np.abs(image - tokens[half:]).max() > TOLERANCE * np.abs(tokens).max():
        return False
    tokens[half:] = image
    return True


def _mirror_holds(points: Points, tokens: Floats, n: int) -> bool:
    half = len(tokens) // 2
    labels, point_weights = points.labels, points.weights
    if not (
        np.array_equal(labels[:half], -labels[half:])
        and (point_weights[:half] == point_weights[half:]).all()
    ):
        return False
    image = tokens[:half].copy()
    image[..., n:] *= -1.0
    return bool(np.abs(image - tokens[half:]).max() <= TOLERANCE * np.abs(tokens).max())


@np.errstate(over="ignore", invalid="ignore")
def _is_odd(start: ModelParameters, directions: Floats, n: int) -> bool:
    c, v = directions[:, :n], directions[:, n:]
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
