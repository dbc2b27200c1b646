"""A sweep file becomes a list of runs: TOML -> validated settings -> keyed cells."""

import itertools
import math
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from motsim.checks import nearest
from motsim.experiments import kinds, load_kind
from motsim.experiments.protocol import Kind
from motsim.plans.changes import Axis, Changes, parse_override, split_table, sweep_words
from motsim.plans.checks import (
    CasePlan,
    check_axes,
    check_keys,
    effective_settings,
    read_case,
)
from motsim.plans.file import FOLDER, SweepError, SweepFile, Tier, TierTable
from motsim.plans.keys import seed_keys

__all__ = [
    "Axis",
    "CasePlan",
    "Cell",
    "Changes",
    "Sweep",
    "SweepError",
    "SweepFile",
    "Tier",
    "parse_override",
    "split_table",
    "sweep_words",
]

MAX_RUNS = 1_000_000


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a sweep, kept small: a sweep may have a million.

    Attributes
    ----------
    labels : dict
        Its place in the table: case, grid axes, seed.
    values : dict
        Settings that are not left at their defaults, without the seed.
    kind, key : str
        What computes it; where the store keeps it. Cells of one key are one run: they differ in
        settings without effect at most.
    cost : float
        About how many seconds it takes at most, on one core.
    folder : str
        Where the module of the kind is, if it only lies beside the sweep file.
    science : str
        Hash of the sources of a user's own kind; a worker with others must not run it.
    """

    labels: dict[str, Any]
    values: Mapping[str, Any]
    kind: str
    key: str
    cost: float
    folder: str = ""
    science: str = ""

    @property
    def settings(self) -> BaseModel:
        """Complete settings, validated."""
        return load_kind(self.kind, self.folder).Settings(**self.values, seed=self.labels["seed"])


@dataclass(frozen=True)
class Sweep:
    """A named sweep file.

    Attributes
    ----------
    name : str
    path : Path
    file : SweepFile
    changes : Changes
        What the call changes (``--set``, ``--case``, ``--seeds``, ``--seed-start``).
    """

    name: str
    path: Path
    file: SweepFile
    changes: Changes = field(default_factory=Changes)

    @property
    def title(self) -> str:
        """One line for lists."""
        return self.file.title

    @property
    def own_kind(self) -> bool:
        """Whether its kind does not come with motsim, so that to look at it runs a user's code."""
        return self.file.kind not in kinds()

    @property
    def opens_data(self) -> bool:
        """Whether its plan opens files that it names: their content is part of the keys."""
        tables = [self.file.fixed, self.file.grid, *self.file.case.values(), self.changes.sets]
        for tier in self.file.tier.values():
            tables += [tier.fixed, tier.grid, *tier.case.values()]
        tables += [table["grid"] for table in tables if isinstance(table.get("grid"), dict)]
        return any(key.rpartition(".")[2] == "path" for table in tables for key in table)

    @property
    def kind(self) -> Kind:
        """What its runs are."""
        return load_kind(self.file.kind, str(self.path.parent))

    @property
    def argument(self) -> str:
        """What makes its runs in a call: name if it comes with motsim, else path; changes."""
        name = self.name if self.path.resolve().parent == FOLDER else shlex.quote(str(self.path))
        return name + self._told.options

    @property
    def seed_start(self) -> int:
        """The first seed."""
        return self.file.seed_start if self.changes.start is None else self.changes.start

    @property
    def moved(self) -> bool:
        """Whether the seeds start elsewhere than the file says: no verdict is recorded for these.

        Seeds are part of every run's key; nothing else in a key depends on where they start.
        """
        return self.seed_start != self.file.seed_start

    @property
    def altered(self) -> bool:
        """Whether settings or cases are others than the file's."""
        return bool(self.changes.sets or self.changes.cases)

    @property
    def table(self) -> str:
        """Name of its tables: those of other seeds, settings or cases stand beside the file's."""
        return self.name + self._told.ending

    @property
    def _told(self) -> Changes:
        """Changes, without a start that is the file's."""
        return self.changes if self.moved else replace(self.changes, start=None)

    def seeds(self, tier: Tier) -> int:
        """Return the number of seeds of a setting whose case has none of its own."""
        return self.file.tier.get(tier, TierTable()).seeds or self.file.seeds

    def cells(
        self,
        tier: Tier = "quick",
        overrides: Mapping[str, Any] | None = None,
        seeds: int | None = None,
    ) -> list[Cell]:
        """Return every run, in the order of the table.

        Later wins: fixed, tier's fixed, case, tier's case, grid axis, override. A case may have
        a ``grid`` of its own, which adds to the sweep's, and ``seeds`` of its own.

        Raises
        ------
        SweepError
            If a key is unknown or a value invalid; the message names file, key and rule.
        """
        kind = self.kind
        plans = list(self.plans(tier, overrides, seeds))
        total = 0
        for plan in plans:
            check_keys(self.path, kind, plan)
            check_axes(self.path, plan)
            total += plan.seeds * math.prod(len(values) for values in plan.grid.values())
        if total > MAX_RUNS:
            raise SweepError(f"{self.path}: {total:,} runs; a sweep has at most {MAX_RUNS:,}")
        cells: list[Cell] = []
        for plan in plans:
            for point in itertools.product(*plan.grid.values()):
                axes = dict(zip(plan.grid, point, strict=True))
                front: dict[str, Any] = {"case": plan.case} if plan.case else {}
                chosen = {**plan.base, **axes}
                # once: seeds change no more
                complete, cost = effective_settings(self.path, kind, chosen)
                seeds_here = range(self.seed_start, self.seed_start + plan.seeds)
                keys = seed_keys(kind, complete, seeds_here)
                for seed, key in zip(seeds_here, keys, strict=True):
                    labels = {**front, **axes, "seed": seed}
                    code = (kind.folder, kind.science)
                    cells.append(Cell(labels, chosen, kind.name, key, cost, *code))
        return cells

    def plans(
        self, tier: Tier, overrides: Mapping[str, Any] | None = None, seeds: int | None = None
    ) -> Iterator[CasePlan]:
        """What each case runs, not checked but for the names of cases; `overrides` over changes."""
        file, extra = self.file, self.file.tier.get(tier, TierTable())
        for name in extra.case:
            if name not in file.case:
                raise SweepError(
                    f"{self.path}: [tier.{tier}.case.{name}] changes no case"
                    + nearest(name, file.case)
                )
        mine = {**self.changes.sets, **(overrides or {})}
        named = {key: key.rpartition(".")[0] for key in mine if "." in key}
        options = dict.fromkeys(self.changes.cases, "--case")
        for name, option in (options | dict.fromkeys(named.values(), "--set")).items():
            if name not in file.case:
                hint = nearest(name, file.case) if file.case else "; this sweep has no cases"
                raise SweepError(f"{self.path}: unknown case {name!r} in {option}{hint}")
        for case, own in (file.case or {"": {}}).items():
            if self.changes.cases and case not in self.changes.cases:
                continue
            own, own_grid, own_seeds = read_case(self.path, case, own)
            tiers, tiers_grid, tiers_seeds = read_case(self.path, case, extra.case.get(case, {}))
            asked = {key: value for key, value in mine.items() if key not in named}
            for key, owner in named.items():
                if owner == case:
                    asked[key.rpartition(".")[2]] = mine[key]
            axes = {key: list(v) for key, v in asked.items() if isinstance(v, Axis)}
            values = {key: v for key, v in asked.items() if key not in axes}
            grid = {**file.grid, **extra.grid, **own_grid, **tiers_grid, **axes}
            yield CasePlan(
                case,
                seeds or self.changes.seeds or tiers_seeds or own_seeds or self.seeds(tier),
                {**file.fixed, **extra.fixed, **own, **tiers, **values},
                {axis: several for axis, several in grid.items() if axis not in values},
                frozenset(asked),
            )
