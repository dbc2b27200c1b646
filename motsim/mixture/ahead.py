"""Kernels compiled ahead of the runs, by all processes that are about to run, each its share."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
from numba.core.typing.typeof import typeof

from motsim.mixture import kernels
from motsim.mixture.data import Mixture, make_signals
from motsim.mixture.engine.layout import kernel_buffers, kernel_rule
from motsim.mixture.engine.parts import in_parts
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.kernels.frozen import pass_frozen
from motsim.mixture.kernels.fused import pass_fused
from motsim.mixture.kernels.passes import pass_groups
from motsim.mixture.kernels.phases import BOTH, PassMode
from motsim.mixture.kernels.three import pass_three
from motsim.mixture.model import Model, Routing, initial_parameters
from motsim.mixture.points import population
from motsim.vectors.compiling import compile_if_free

__all__ = ["compile_ahead"]


@cache
def compile_ahead(only_signals: bool) -> None:
    """Compile what runs need on points of three signal tokens, or on others; once a process.

    What is compiled by now, or by another process at this moment, is left out: whoever needs it
    waits for it there.
    """
    for kernel, arguments in _calls(3 if only_signals else 4):
        compile_if_free(kernel, tuple(typeof(argument) for argument in arguments))


def _calls(tokens: int) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """Yield kernels and arguments of the types of every run, what takes longest first."""
    mixture, model = Mixture(2, 4, tokens, noise_std=1.0), Model("mot", 2)
    points = population(mixture, make_signals(mixture), num_nodes=1)
    start = initial_parameters(model, 4, init_std=0.1, attention_scale=1.0)
    problem = reduce_problem(model, points, start)
    value, batch = problem.project(start), problem.batch
    rule, buffers = kernel_rule(model, "squared", Routing()), kernel_buffers(model, batch)
    gradient = kernels.Parameters(*(np.zeros_like(array) for array in value))
    parts = in_parts(batch, 1)
    task = kernels.Task(parts, rule, buffers, np.zeros((1, 0, 0)), True, kernels.Passes(0, 0))
    each = value, batch, rule, buffers, gradient, PassMode(BOTH, True)
    if tokens > 3:
        yield pass_groups, each
    yield (
        kernels.take_steps,
        (value, task, gradient, -1.0, np.empty(1)),
    )
    if tokens > 3:
        yield kernels.refresh_attention, (value, batch, buffers)
        return
    yield pass_fused, (value, parts, np.int64(0), rule, buffers, gradient)
    yield pass_three, each
    yield pass_frozen, each
    yield kernels.refresh_moments, (value, batch, rule, buffers.moments)
