"""The four models on samples of real data: routed mini-batches, matched sizes, early stopping.

The mathematics is that of docs/theory.md §2: experts f_i = sum over tokens and neurons of
phi(w . z) with z = X softmax(X^T A_i X), a gate on the sum of the tokens, top-1 noisy routing.
What is new is that only the routed expert of a sample runs, that an expert may have C outputs, and
that gradients are taken on mini-batches.
"""

from motsim.vectors.compiling import kernel_cache

with kernel_cache():  # all of them compile as `kernel_cache` has it
    import motsim.minibatch.descent  # noqa: F401

from motsim.minibatch.fitting import Fit, Phase, fit
from motsim.minibatch.gradients import Scores, evaluate, gradients
from motsim.minibatch.network import Network, matched_network, num_parameters
from motsim.minibatch.updates import FROZEN, Update

__all__ = [
    "FROZEN",
    "Fit",
    "Network",
    "Phase",
    "Scores",
    "Update",
    "evaluate",
    "fit",
    "gradients",
    "matched_network",
    "num_parameters",
]
