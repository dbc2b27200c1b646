"""What a model does at given parameters: its loss and gradients, and everything it says."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from motsim.mixture import kernels
from motsim.mixture.engine.layout import positions
from motsim.mixture.engine.problem import Problem
from motsim.mixture.model import Loss, Model, ModelParameters, Routing, check_routing
from motsim.mixture.points import Points
from motsim.printing import brief

__all__ = ["Evaluation", "evaluate", "evaluate_in_reduction", "evaluator", "loss_and_gradients"]

Floats = NDArray[np.float64]
MAX_WEIGHTS = 4_000_000  # attention weights computed at a time


@dataclass(frozen=True, repr=False)
class Evaluation:
    """Everything a model says about each point, noise-free.

    Attributes
    ----------
    loss : float
        Expected loss over the points.
    outputs : (P, M) array
        f_i(X).
    logits, gates : (P, M) arrays
        h and pi; zeros and ones for `single`.
    routed : (P,) integer array
        argmax_i h_i, ties to the lowest index.
    prediction : (P,) array
        F(X).
    attention : (M or 1 or 0, L, L, P) array
        Attention weights, key before query; without points if they were not wanted.
    """

    loss: float
    outputs: Floats
    logits: Floats
    gates: Floats
    routed: NDArray[np.int64]
    prediction: Floats
    attention: Floats

    def __repr__(self) -> str:
        return brief(self)


def loss_and_gradients(
    model: Model,
    parameters: ModelParameters,
    points: Points,
    *,
    loss: Loss = "squared",
    routing: Routing | None = None,
    routing_noise: Floats | None = None,
) -> tuple[float, ModelParameters]:
    """Noise-free expected loss, and the gradient of the training loss by every parameter.

    Parameters
    ----------
    model : Model
        What is run.
    parameters : ModelParameters
        Where the gradient is taken.
    points : Points
        Over which the loss is an expectation.
    loss : {"squared", "logistic"}
        Of a point.
    routing : Routing, optional
        Default: expected, Gumbel, scale 1.
    routing_noise : (P, M) array
        The noise, scaled; needed when routing is "sampled".

    Returns
    -------
    loss : float
        Expected loss with noise-free routing.
    gradient : ModelParameters
        Of the training loss, in the shapes of `parameters`.

    Raises
    ------
    ValueError
        If the routing does not fit the model, or its noise is missing.

    Notes
    -----
    The gate's choice of experts passes no gradient, as argmax passes none (docs/theory.md §2).
    """
    routing = routing or Routing()
    check_routing(model, routing)
    if routing.mode == "sampled" and model.gated and routing_noise is None:
        raise ValueError("routing 'sampled' needs routing_noise of shape (P, M)")
    problem = Problem.whole(model, points, loss=loss)
    problem.place(parameters)
    expected, gradient = problem.differentiate(routing, routing_noise), problem.gradient
    shaped = gradient.ffn.reshape(parameters.ffn.shape)
    return expected, ModelParameters(shaped, gradient.attention, gradient.gate)


def evaluate(
    model: Model,
    parameters: ModelParameters,
    points: Points,
    *,
    loss: Loss = "squared",
    with_attention: bool = True,
) -> Evaluation:
    """Run the model on every point without routing noise; see `Evaluation`.

    Parameters
    ----------
    model : Model
        What is run.
    parameters : ModelParameters
        Its parameters.
    points : Points
        What it is run on, with their weights.
    loss : {"squared", "logistic"}
        What is averaged.
    with_attention : bool
        False leaves the attention weights out, which are most of the memory.

    Returns
    -------
    Evaluation
        Loss, outputs, gates and attention weights of every point.
    """
    return evaluator(model, points, loss=loss, with_attention=with_attention)(parameters)


def evaluator(
    model: Model, points: Points, *, loss: Loss = "squared", with_attention: bool = True
) -> Callable[[ModelParameters], Evaluation]:
    """Return `evaluate` as a function of the parameters; points that are few are laid out once."""
    pairs = model.num_experts * points.tokens.shape[1] ** 2
    at_a_time = max(64, MAX_WEIGHTS // pairs)
    parts = [slice(first, first + at_a_time) for first in range(0, len(points.labels), at_a_time)]

    def laid_out(part: slice) -> Problem:
        some = replace(
            points, tokens=points.tokens[part], labels=points.labels[part],
            weights=points.weights[part], draws=None,
        )  # fmt: skip
        return Problem.whole(model, some, loss=loss)

    if len(parts) == 1:
        kept = laid_out(parts[0])
        return lambda parameters: _evaluate(kept, parameters, with_attention)

    def over_parts(parameters: ModelParameters) -> Evaluation:
        found = [_evaluate(laid_out(part), parameters, with_attention) for part in parts]
        rows = ("outputs", "logits", "gates", "routed", "prediction")
        return Evaluation(
            loss=sum(part.loss for part in found),
            attention=np.concatenate([part.attention for part in found], axis=-1),
            **{name: np.concatenate([getattr(part, name) for part in found]) for name in rows},
        )

    return over_parts


def evaluate_in_reduction(
    model: Model, parameters: ModelParameters, points: Points, *, loss: Loss = "squared"
) -> Evaluation:
    """`evaluate` without attention weights, in the coordinates of training.

    The same but for rounding. Points of three signal tokens lie on axes there, so that it takes
    the passes of training, which are compiled.
    """
    problem = Problem.of(model, points, (), parameters, loss=loss, use_mirror=False)
    return _evaluate(problem, parameters, with_attention=False)


def _evaluate(problem: Problem, parameters: ModelParameters, with_attention: bool) -> Evaluation:
    """Some of the points; their part of the loss."""
    problem.place(parameters)
    expected, buffers, batch = problem.run(), problem.buffers, problem.reduction.batch
    at = positions(batch)
    length = buffers.attention_probs.shape[3]
    attention = np.zeros((len(buffers.attention_probs), length, length, 0))
    if with_attention:
        if kernels.only_signals(batch):  # whose outputs are computed without
            kernels.refresh_attention(problem.value, batch, buffers)
        shape = (*attention.shape[:3], len(batch.labels))
        attention = buffers.attention_probs.transpose(0, 3, 2, 1, 4).reshape(shape)[..., at]
    logits = buffers.logits[:, at].T
    return Evaluation(
        expected,
        buffers.outputs[:, at].T.copy(),
        logits.copy(),
        buffers.gates[:, at].T.copy(),
        logits.argmax(axis=1),
        buffers.final[at].copy(),
        attention,
    )
