"""Where a trained gate sends samples: shares, entropy against the task, experts used."""

import numpy as np
from numpy.typing import NDArray

from motsim.mixture.diagnostics import dispatch_entropy

__all__ = ["SERVED", "dispatch_shares", "routing_measures"]

SERVED = 0.95  # share of the samples that the experts in use serve together


def dispatch_shares(
    routed: NDArray[np.int64], tasks: NDArray[np.int64], num_experts: int, num_tasks: int
) -> NDArray[np.float64]:
    """Share (M, N) of the samples routed to expert i in task n; sums to 1."""
    shares = np.zeros((num_experts, num_tasks))
    np.add.at(shares, (routed, tasks), 1.0 / len(routed))
    return shares


def routing_measures(shares: NDArray[np.float64]) -> dict[str, float | int]:
    """Numbers of a dispatch.

    ``dispatch_entropy``: of the task given the expert, in nats; 0 when each expert serves one
    task, log N when routing ignores the task. ``used_experts``: the least number of experts that
    together serve 95 % of the samples. ``effective_experts``: exp of the entropy of the load.
    ``largest_share``: load of the busiest expert.
    """
    load = np.sort(shares.sum(axis=1))[::-1]
    busy = load[load > 0]
    return {
        "dispatch_entropy": dispatch_entropy(shares),
        "used_experts": int(np.searchsorted(np.cumsum(load), SERVED - 1e-12) + 1),
        "effective_experts": float(np.exp(-(busy * np.log(busy)).sum())),
        "largest_share": float(load[0]),
    }
