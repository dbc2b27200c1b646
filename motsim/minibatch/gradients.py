"""Loss and gradients of a whole model on a batch; only the routed experts run."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.minibatch.arguments import (
    NOTHING,
    Batches,
    Results,
    buffers_of,
    data_of,
    laid_out,
    rule_of,
    standing,
    taken_back,
)
from motsim.minibatch.descent import descend
from motsim.minibatch.losses import OutputLoss, loss_and_gradient, wrong
from motsim.minibatch.network import Network, zeros_like
from motsim.mixture.model import ModelParameters, Routing
from motsim.realdata.tasks import Samples

__all__ = ["Scores", "evaluate", "gradients"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
CHUNK = 64  # samples of an evaluation at a time: what they need stays in the cache


@dataclass(frozen=True)
class Scores:
    """What a model does with some samples.

    Attributes
    ----------
    error, loss : float
        Share misclassified; mean loss.
    wrong : (s,) bool
    routed : (s,) int64
        Expert of each sample; all 0 for `single`.
    """

    error: float
    loss: float
    wrong: NDArray[np.bool_]
    routed: Integers


def gradients(
    network: Network,
    parameters: ModelParameters,
    samples: Samples,
    chosen: Integers,
    *,
    loss: OutputLoss,
    routing: Routing,
    noise: Floats | None = None,
    with_ffn: bool = True,
    with_attention: bool = True,
) -> tuple[float, ModelParameters]:
    """Mean loss of a batch and its gradients, routing included.

    Parameters
    ----------
    network, parameters
    samples : Samples
    chosen : (b,) array
        Places of the batch's samples.
    loss : {"squared", "logistic", "cross_entropy"}
    routing : Routing
        `sampled`: the expert is the argmax of the noisy logits, and only it runs. `expected`: all
        experts run, each sample's losses weighted by the routing probabilities of Gumbel noise,
        which are held constant in the gradient.
    noise : (b, M) array, optional
        Added to the logits when routing is sampled.
    with_ffn, with_attention : bool
        False leaves that gradient zero and saves its work.
    """
    rule = rule_of(network, loss, routing)
    rule = rule._replace(trains_ffn=with_ffn, trains_attention=with_attention)
    gradient = laid_out(zeros_like(parameters))
    training = standing(gradient)
    i_samples = np.ascontiguousarray(chosen, dtype=np.int64)[None]
    drawn = np.zeros((0, 1, 1)) if noise is None else np.ascontiguousarray(noise)[None]
    batches = Batches(data_of(samples), i_samples, drawn)
    buffers = buffers_of(network, rule, samples, len(chosen))
    descend(laid_out(parameters), batches, rule, buffers, training, NOTHING)
    return float(training.losses[0]), taken_back(gradient, parameters)


@np.errstate(over="ignore", invalid="ignore")  # of a diverged model: a loss that is not finite
def evaluate(
    network: Network,
    parameters: ModelParameters,
    samples: Samples,
    *,
    loss: OutputLoss,
    noise: Floats | None = None,
) -> Scores:
    """Loss, error and routing of samples; without noise, or with noise (s, M) as in training."""
    rule, size = rule_of(network), min(CHUNK, len(samples))
    count = -(-len(samples) // size)
    i_samples = np.minimum(np.arange(count * size), len(samples) - 1).reshape(count, size)
    drawn = np.zeros((0, 1, 1)) if noise is None else noise[i_samples]
    batches = Batches(data_of(samples), i_samples, drawn)
    results = Results(
        np.empty((count, size, network.num_outputs)), np.zeros((count, size), dtype=np.int64)
    )
    laid, buffers = laid_out(parameters), buffers_of(network, rule, samples, size)
    descend(laid, batches, rule, buffers, standing(laid)._replace(on=False), results)
    outputs = results.outputs.reshape(count * size, -1)[: len(samples)]
    routed = results.routed.reshape(-1)[: len(samples)]
    losses, _ = loss_and_gradient(outputs, samples.targets, loss)
    missed = wrong(outputs, samples.targets)
    return Scores(float(missed.mean()), float(losses.mean()), missed, routed)
