"""Which kernels compute a step: chosen here, once, and obeyed by the kernels."""

from enum import IntEnum

import numpy as np

from motsim.mixture.kernels.arguments import only_signals

__all__ = ["FROZEN", "FUSED", "GATHERED", "SIGNALS", "Route", "choose_route"]


class Route(IntEnum):
    """The kernels of a step."""

    FUSED = 0
    FROZEN = 1
    SIGNALS = 2
    GENERAL = 3
    GATHERED = 4


# Not plain integers: numba would compile a kernel for each of these literals.
FUSED, FROZEN, SIGNALS = np.int64(Route.FUSED), np.int64(Route.FROZEN), np.int64(Route.SIGNALS)
GATHERED = np.int64(Route.GATHERED)


def choose_route(parameters, batch, rule, buffers):
    """Return the first route of this table whose condition holds.

    Points *of signals* have three signal tokens and no others. `batch` may be in parts.

    ======= ============================================ ===========================================
    route   condition                                    why exact
    ======= ============================================ ===========================================
    FUSED   as FROZEN, with moments kept (stages alone   The operations of FROZEN and of the sweeps
            keep them); weights and gate train; expected of `routing` in one loop over blocks, in
            routing of one expert, no load balance; one  the same order: the same bits (`fused`).
            neuron an expert                             Outputs of all points are not left behind,
                                                         which only evaluations read.
    FROZEN  points of signals; no attention trains       An expert is a form of degree three (one if
                                                         linear) in its weights, whose coefficients
                                                         are the point's alone (`frozen`).
    SIGNALS points of signals; every expert has its own  The pass of GENERAL, written out for three
            attention, which trains                      tokens (`three`).
    GATHERED sampled routing of one expert; no           A point's loss is that of its expert alone;
            attention; no images                         sums have another order (`gathered`).
    GENERAL any other                                    The definition, docs/theory.md §1
                                                         (`passes`).
    ======= ============================================ ===========================================
    """
    if not only_signals(batch):
        plain = not rule.mixed and batch.tokens.shape[-4] == batch.axes.shape[-2]
        sampled = rule.gated and rule.sampled and rule.top_k == 1
        return Route.GATHERED if plain and sampled else Route.GENERAL
    if not rule.trains_attention:
        kept = buffers.moments.shape[:2] != (1, 1)
        trains = rule.trains_ffn and rule.gated and rule.trains_gate
        splits = not rule.sampled and rule.load_balance == 0.0 and rule.top_k == 1
        return Route.FUSED if kept and trains and splits and rule.neurons == 1 else Route.FROZEN
    own = len(parameters.attention) == len(buffers.outputs)
    return Route.SIGNALS if own else Route.GENERAL
