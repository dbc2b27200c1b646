"""Planning: the grouping and order of rehearsal with the least expected error (beyond the paper).

The search space: at step t the blocks are the new task's samples and the memories of the earlier
tasks, each used exactly once; a step is an ordered partition of these blocks into fits (with
`new_task_first` the new task is in the first fit, as in the paper's strategies); a schedule is one
step for every task. The planner knows all task vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from motsim.rehearsal import arguments
from motsim.rehearsal.crossover import QUANTITIES
from motsim.rehearsal.partitions import EXACT_BLOCKS
from motsim.rehearsal.problem import Rehearsal
from motsim.rehearsal.records import RehearsalErrors, expected_record
from motsim.rehearsal.schedules import Block, Schedule, Step
from motsim.rehearsal.search import MAX_STATES, Search
from motsim.rehearsal.theory import expected_fresh

METHODS = ("auto", "exact", "search")


@dataclass(frozen=True, eq=False)
class OptimalSchedule:
    """A planned schedule and how good it can be.

    Attributes
    ----------
    schedule : Schedule
        Valid as the strategy of a `Rehearsal`: ``problem.using(found.schedule)``.
    errors : RehearsalErrors
        Its expected errors (fresh memory).
    objective : 'generalization' or 'forgetting'
    value : float
        Its objective.
    lower_bound : float
        No schedule of the search space is below it; equals `value` when `exact`, nan if unknown.
    gap : float
        value − lower_bound.
    exact : bool
        Whether the schedule is proven optimal.
    """

    schedule: Schedule
    errors: RehearsalErrors
    objective: str
    value: float
    lower_bound: float
    gap: float
    exact: bool


def optimal_schedule(
    problem: Rehearsal,
    *,
    objective: str = "generalization",
    new_task_first: bool = True,
    method: str = "auto",
) -> OptimalSchedule:
    """Return the schedule with the least expected generalization error or forgetting.

    Parameters
    ----------
    problem : Rehearsal
        With fresh memory. Of its own schedule only the blocks of each step are used, of each task
        at most one: they are grouped and ordered anew.
    objective : 'generalization' or 'forgetting'
        Forgetting may be bought by learning each task badly: read `errors` as well.
    new_task_first : bool
        Whether each step's first fit must contain the new task.
    method : 'auto', 'exact' or 'search'
        'exact': for generalization a dynamic programme over subsets, step by step (proven optimal
        jointly over all steps, up to 15 blocks a step); for forgetting a list of all schedules of
        the first T − 1 steps with a dynamic programme for the last (up to T = 6, or 5 if the new
        task may come later). 'search': coordinate descent, exact in each step, from several
        starts. 'auto' is exact where possible.

    Returns
    -------
    OptimalSchedule
        With a lower bound and the gap to it.

    Raises
    ------
    ValueError
        For replayed memory or a step that visits a task twice; for 'exact' on a problem too large;
        for forgetting of one task.

    Notes
    -----
    Derived in docs/rehearsal.md §8.
    """
    tasks, noise = problem.tasks, problem.noise_std
    arguments.choice("objective", objective, QUANTITIES)
    arguments.choice("method", method, METHODS)
    if problem.memory != "fresh":
        raise ValueError(f"a plan needs memory 'fresh', got {problem.memory!r}")
    blocks = tuple(_blocks(t, step) for t, step in enumerate(problem.schedule))
    plan = Search(tasks, noise, blocks, bool(new_task_first))
    if objective == "forgetting":
        if tasks.num_tasks == 1:
            raise ValueError("objective 'forgetting' needs at least 2 tasks, got 1")
        listable = plan.num_prefixes() <= MAX_STATES
        exact = method == "exact" or (method == "auto" and listable)
        if exact and not listable:
            raise ValueError(
                f"method 'exact' lists at most {MAX_STATES} schedules, got {plan.num_prefixes()} "
                f"for {tasks.num_tasks} tasks; use method 'search'"
            )
        schedule = plan.list_all() if exact else plan.descend()
        bound = plan.forgetting_bound()
    else:
        small = max(map(len, blocks)) <= EXACT_BLOCKS
        if method == "exact" and not small:
            raise ValueError(
                f"method 'exact' needs at most {EXACT_BLOCKS} blocks a step, got "
                f"{max(map(len, blocks))}; use method 'search'"
            )
        exact = small  # the step-by-step search is exact whenever each step is
        uniform = np.full(tasks.num_tasks, 1 / tasks.num_tasks)
        schedule = plan.greedy(uniform, tasks.num_tasks)[1]
        bound = plan.relaxed_bound(uniform)
    errors = expected_record(expected_fresh(tasks, schedule, noise))
    value = float(getattr(errors, objective))
    if exact:
        bound = value
    return OptimalSchedule(schedule, errors, objective, value, bound, value - bound, exact)


def _blocks(t: int, step: Step) -> tuple[Block, ...]:
    """Return the blocks of step t: the new task's, then those of its memories in their order."""
    found = sorted(
        (block for fit in step for block in fit), key=lambda block: (block[0] != t, block[0])
    )
    for one, other in pairwise(found):
        if one[0] == other[0]:
            raise ValueError(f"step {t} visits task {one[0]} twice; a plan takes each task once")
    return tuple(found)
