"""One problem of rehearsal: tasks, samples, memory, noise and schedule, checked once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from motsim.rehearsal import arguments
from motsim.rehearsal.geometry import TaskGeometry, geometry
from motsim.rehearsal.schedules import Schedule, make_schedule, stored_samples

MEMORIES = ("fresh", "replayed")


@dataclass(frozen=True, eq=False)
class Rehearsal:
    """Rehearsal in overparameterized linear regression: what is fitted to what, in which order.

    All checks of arguments are made here, so that what takes a `Rehearsal` need not make them
    again; ``dataclasses.replace`` makes another one, checked as well.

    Parameters
    ----------
    tasks : array (T, p) or TaskGeometry
        Ground truths w*_t, one a row; kept as their geometry.
    samples_per_task : int or T ints, or None with a schedule
        Columns n_t of each task's own data, >= 1.
    memory_size : int or T ints, or None with a schedule
        Rehearsed columns a step, see `memory_counts`.
    noise_std : float >= 0
        σ of the label noise.
    strategy : 'concurrent', 'sequential', 'hybrid' or a schedule
        See `motsim.rehearsal.schedules`.
    order : 'oldest' or 'newest', optional
        Which memory a sequential revisit starts with; oldest if None.
    threshold, measure : float and 'cosine' or 'distance', optional
        The similarity rule of 'hybrid'; cosine if None.
    memory : 'fresh' or 'replayed'
        New draws of old tasks, or columns that were fitted before: the first (with their noise) of
        the data that each task brought. Replayed memory of a task cannot exceed its own samples.

    Attributes
    ----------
    schedule : Schedule
        The fits of every step, as data.

    Raises
    ------
    ValueError, TypeError
        Columns > p − 2 in a fit; a memory too small; negative noise; vectors of unequal length or
        not finite; an unknown strategy; a schedule that revisits an unseen task; ...

    Notes
    -----
    Source: setting of arXiv:2506.00205; the mathematics is in docs/rehearsal.md.

    Examples
    --------
    >>> problem = Rehearsal([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0], [0.0] * 5 + [1.0]], 2, 1, 0.1)
    >>> problem.schedule
    ((((0, 2),),), (((1, 2),), ((0, 1),)))
    """

    tasks: TaskGeometry | Any  # vectors are turned into their geometry
    samples_per_task: Any
    memory_size: Any
    noise_std: float
    strategy: str | Sequence[Any] = "sequential"
    order: str | None = field(default=None, kw_only=True)
    threshold: float | None = field(default=None, kw_only=True)
    measure: str | None = field(default=None, kw_only=True)
    memory: str = field(default="fresh", kw_only=True)
    schedule: Schedule = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # A frozen record sets what it has checked by this door.
        keep = object.__setattr__
        keep(self, "tasks", geometry(self.tasks))
        keep(self, "noise_std", arguments.noise_level(self.noise_std))
        arguments.choice("memory", self.memory, MEMORIES)
        made = make_schedule(
            self.tasks,
            self.samples_per_task,
            self.memory_size,
            self.strategy,
            order=self.order,
            threshold=self.threshold,
            measure=self.measure,
        )
        keep(self, "schedule", made)
        if self.memory == "replayed":
            stored_samples(made)

    def using(
        self,
        strategy: str | Sequence[Any],
        *,
        order: str | None = None,
        threshold: float | None = None,
        measure: str | None = None,
    ) -> Rehearsal:
        """Return the same samples and memory under another strategy, with that one's options.

        A schedule brings its own numbers of samples.
        """
        changes: dict[str, Any] = {"order": order, "threshold": threshold, "measure": measure}
        if not isinstance(strategy, str):
            changes |= {"samples_per_task": None, "memory_size": None}
        return replace(self, strategy=strategy, **changes)
