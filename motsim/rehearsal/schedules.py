"""Schedules: which samples are fitted, in which order. A schedule is data, a strategy makes one.

A block is (task, samples), a fit is a tuple of blocks solved together, a step is the tuple of fits
made when a task arrives, and a schedule is the tuple of T steps. Tasks count from 0. For two tasks
of 30 samples and 24 memories::

    concurrent  ((((0, 30),),), (((1, 30), (0, 24)),))
    sequential  ((((0, 30),),), (((1, 30),), ((0, 24),)))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from motsim.rehearsal import arguments
from motsim.rehearsal.geometry import TaskGeometry, geometry

Block: TypeAlias = tuple[int, int]
Fit: TypeAlias = tuple[Block, ...]
Step: TypeAlias = tuple[Fit, ...]
Schedule: TypeAlias = tuple[Step, ...]

STRATEGIES = ("concurrent", "sequential", "hybrid")
ORDERS = ("oldest", "newest")
MEASURES = ("cosine", "distance")


def memory_counts(num_tasks: int, memory_size: Any) -> tuple[tuple[int, ...], ...]:
    """Return, for each step t, the numbers of rehearsed samples of tasks 0..t−1.

    Parameters
    ----------
    num_tasks : int
        T.
    memory_size : int or T ints
        An int m is split over the t earlier tasks as evenly as possible, earlier tasks first
        (7 over three tasks: 3, 2, 2); 0 means no rehearsal. One count per task means that task i
        is rehearsed with that many samples at every later step (0: never); the last is not used.

    Raises
    ------
    ValueError
        If 0 < m < T − 1, which leaves an earlier task without a sample, or a count is negative.
    """
    num_tasks = arguments.integer("num_tasks", num_tasks, 1)
    if np.ndim(memory_size) > 0:
        each = arguments.counts("memory_size", memory_size, num_tasks, 0)
        return tuple(each[:t] for t in range(num_tasks))
    size = arguments.integer("memory_size", memory_size, 0)
    if 0 < size < num_tasks - 1:
        raise ValueError(
            f"memory_size must give each of the {num_tasks - 1} earlier tasks at least one "
            f"sample, got {size}; use at least {num_tasks - 1}, or 0 for no rehearsal"
        )
    return tuple(
        tuple(size // t + int(i < size % t) for i in range(t)) for t in range(num_tasks)
    )  # t = 0 has no earlier task, hence no division


def concurrent_schedule(num_tasks: int, samples_per_task: Any, memory_size: Any) -> Schedule:
    """One fit a step, on the new task's samples and all memories together (arXiv:2506.00205).

    See `memory_counts` for `memory_size`; `samples_per_task` is an int or one int per task, >= 1.
    """
    return _grouped(num_tasks, samples_per_task, memory_size, lambda t, i: True, "oldest")


def sequential_schedule(
    num_tasks: int, samples_per_task: Any, memory_size: Any, *, order: str = "oldest"
) -> Schedule:
    """Fit the new task, then each memory in turn, `order` 'oldest' or 'newest' first."""
    return _grouped(num_tasks, samples_per_task, memory_size, lambda t, i: False, order)


def hybrid_schedule(
    task_vectors: Any,
    samples_per_task: Any,
    memory_size: Any,
    *,
    threshold: float,
    measure: str = "cosine",
    order: str = "oldest",
) -> Schedule:
    """Memories of similar tasks join the new task's fit; the others follow one by one.

    Task i is similar to task t when their cosine is >= `threshold` (measure 'cosine') or their
    distance ‖w*_i − w*_t‖ is <= `threshold` (measure 'distance').

    Raises
    ------
    ValueError
        For a cosine threshold outside [−1, 1], a negative distance, or a zero vector's cosine.
    """
    tasks = geometry(task_vectors)
    if arguments.choice("measure", measure, MEASURES) == "cosine":
        similar = tasks.cosines >= arguments.real("threshold", threshold, -1.0, 1.0)
    else:
        limit = arguments.real("threshold", threshold, 0.0)
        similar = np.sqrt(tasks.squared_distances) <= limit
    return _grouped(
        tasks.num_tasks, samples_per_task, memory_size, lambda t, i: bool(similar[t, i]), order
    )


def _grouped(
    num_tasks: int,
    samples_per_task: Any,
    memory_size: Any,
    joins: Callable[[int, int], bool],
    order: str,
) -> Schedule:
    num_tasks = arguments.integer("num_tasks", num_tasks, 1)
    samples = arguments.counts("samples_per_task", samples_per_task, num_tasks, 1)
    arguments.choice("order", order, ORDERS)
    steps: list[Step] = []
    for t, memory in enumerate(memory_counts(num_tasks, memory_size)):
        blocks = [(i, count) for i, count in enumerate(memory) if count]
        joined = tuple([block for block in blocks if joins(t, block[0])])
        later = [(block,) for block in blocks if not joins(t, block[0])]
        if order == "newest":
            later.reverse()
        steps.append((((t, samples[t]), *joined), *later))
    return tuple(steps)


def make_schedule(
    tasks: TaskGeometry,
    samples_per_task: Any,
    memory_size: Any,
    strategy: str | Sequence[Any],
    *,
    order: str | None = None,
    threshold: float | None = None,
    measure: str | None = None,
) -> Schedule:
    """Return the checked schedule of a named strategy, or of one given as data.

    A schedule given as data carries its own counts: `samples_per_task` and `memory_size` must then
    be None. `order` belongs to 'sequential' and 'hybrid', `threshold` and `measure` to 'hybrid'.
    """
    if not isinstance(strategy, str):
        _sequence_of_steps(strategy)
        given = {"samples_per_task": samples_per_task, "memory_size": memory_size}
        given |= {"order": order, "threshold": threshold, "measure": measure}
        for name, value in given.items():
            if value is not None:
                raise ValueError(f"{name} must be None when strategy is a schedule, got {value!r}")
        return check_schedule(strategy, tasks.num_tasks, tasks.dimension)
    arguments.choice("strategy", strategy, STRATEGIES)
    if strategy != "hybrid" and (threshold is not None or measure is not None):
        raise ValueError(f"threshold and measure apply to strategy 'hybrid' only, not {strategy!r}")
    if strategy == "concurrent" and order is not None:
        raise ValueError("order applies to strategies 'sequential' and 'hybrid', not 'concurrent'")
    if strategy == "concurrent":
        made = concurrent_schedule(tasks.num_tasks, samples_per_task, memory_size)
    elif strategy == "sequential":
        made = sequential_schedule(
            tasks.num_tasks, samples_per_task, memory_size, order=order or "oldest"
        )
    else:
        if threshold is None:
            raise ValueError("threshold must be given for strategy 'hybrid', got None")
        made = hybrid_schedule(
            tasks,
            samples_per_task,
            memory_size,
            threshold=threshold,
            measure=measure or "cosine",
            order=order or "oldest",
        )
    for t, step in enumerate(made):
        for f, fit in enumerate(step):
            columns = sum([n for _, n in fit])
            if columns > tasks.dimension - 2:
                arguments.check_columns(columns, tasks.dimension, _called(t, f))
    return made


def check_schedule(schedule: Any, num_tasks: int, dimension: int) -> Schedule:
    """Return `schedule` as nested tuples of ints, or say what is wrong with it and where.

    Rules: T steps of at least one fit; a fit has blocks (task, samples >= 1) of different tasks,
    all seen by then (task <= step), of at most p − 2 columns together; step t fits task t.
    """
    _sequence_of_steps(schedule)
    if len(schedule) != num_tasks:
        raise ValueError(
            f"a schedule must have one step per task ({num_tasks}), got {len(schedule)} steps"
        )
    steps: list[Step] = []
    for t, step in enumerate(schedule):
        if not isinstance(step, (list, tuple)) or not step:
            raise ValueError(f"step {t} must have at least one fit, got {step!r}")
        steps.append(tuple(_fit(fit, t, f, dimension) for f, fit in enumerate(step)))
        if not any(task == t for fit in steps[-1] for task, _ in fit):
            raise ValueError(f"step {t} must fit its own task {t}, got {step!r}")
    return tuple(steps)


def stored_samples(schedule: Schedule) -> tuple[int, ...]:
    """Return the columns of each task's own data; ValueError if a later fit needs more.

    The data of task t are drawn at step t, in the largest block of task t there; every other block
    of task t reuses the first of these columns.
    """
    stored: list[int] = []
    for t, step in enumerate(schedule):
        stored.append(max(n for fit in step for task, n in fit if task == t))
        for f, fit in enumerate(step):
            for task, samples in fit:
                if samples > stored[task]:
                    raise ValueError(
                        f"step {t}, fit {f} replays {samples} samples of task {task}, which has "
                        f"only {stored[task]}; replay at most {stored[task]}"
                    )
    return tuple(stored)


def _sequence_of_steps(schedule: Any) -> None:
    if not isinstance(schedule, (list, tuple)):
        raise TypeError(
            f"strategy must be one of {', '.join(STRATEGIES)} or a schedule (a tuple of steps), "
            f"got {schedule!r}"
        )


def _fit(fit: Any, t: int, f: int, dimension: int) -> Fit:
    where = _called(t, f)
    if not isinstance(fit, (list, tuple)) or not fit:
        raise ValueError(f"{where} must have at least one block (task, samples), got {fit!r}")
    blocks: list[Block] = []
    for block in fit:
        if not isinstance(block, (list, tuple)) or len(block) != 2:
            raise ValueError(f"{where}: a block must be (task, samples), got {block!r}")
        task = arguments.integer(f"{where}: task", block[0], 0)
        if task > t:
            raise ValueError(
                f"{where} revisits task {task}, which is not seen yet; tasks 0 to {t} are"
            )
        if any(task == other for other, _ in blocks):
            raise ValueError(f"{where} names task {task} twice; give one block with the sum")
        blocks.append((task, arguments.integer(f"{where}: samples", block[1], 1)))
    arguments.check_columns(sum(n for _, n in blocks), dimension, where)
    return tuple(blocks)


def _called(t: int, f: int) -> str:
    return f"step {t}, fit {f}"
