"""A sweep file becomes a list of runs: TOML -> validated settings -> keyed cells."""

import itertools
import math
import reprlib
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from motsim.experiments import kind_module
from motsim.experiments.sizes import check_size
from motsim.results.keys import run_key
from motsim.sweep_file import LAST_START, SweepError, SweepFile, Tier, TierTable, nearest

__all__ = [
    "Cell",
    "Sweep",
    "SweepError",
    "SweepFile",
    "Tier",
    "load_sweep",
    "nearest",
    "parse_override",
    "split_table",
    "sweep_names",
    "sweep_words",
]

FOLDER = Path(__file__).resolve().parents[1] / "sweeps"
MAX_RUNS = 1_000_000
MOVED = "@seed_start="  # between the name of a sweep and another start in the name of its tables


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
        What computes it; where the store keeps it.
    cost : float
        About how many seconds it takes at most, on one core.
    """

    labels: dict[str, Any]
    values: Mapping[str, Any]
    kind: str
    key: str
    cost: float

    @property
    def settings(self) -> BaseModel:
        """Complete settings, validated."""
        settings: BaseModel = kind_module(self.kind).Settings(
            **self.values, seed=self.labels["seed"]
        )
        return settings


@dataclass(frozen=True)
class Sweep:
    """A named sweep file.

    Attributes
    ----------
    name : str
    path : Path
    file : SweepFile
    start : int, optional
        The first seed (``--seed-start``); default: the file's.
    """

    name: str
    path: Path
    file: SweepFile
    start: int | None = None

    @property
    def title(self) -> str:
        """One line for lists."""
        return self.file.title

    @property
    def argument(self) -> str:
        """What names it in a call: its name if it comes with motsim, else its path; its seeds."""
        name = self.name if self.path.resolve().parent == FOLDER else str(self.path)
        return f"{name} --seed-start {self.seed_start}" if self.moved else name

    @property
    def seed_start(self) -> int:
        """The first seed."""
        return self.file.seed_start if self.start is None else self.start

    @property
    def moved(self) -> bool:
        """Whether the seeds start elsewhere than the file says: no verdict is recorded for these.

        Seeds are part of every run's key; nothing else in a key depends on where they start.
        """
        return self.seed_start != self.file.seed_start

    @property
    def table(self) -> str:
        """Name of its tables: those of moved seeds stand beside those of the file's."""
        return f"{self.name}{MOVED}{self.seed_start}" if self.moved else self.name

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
        file, extra = self.file, self.file.tier.get(tier, TierTable())
        module = kind_module(file.kind)
        overrides = dict(overrides or {})
        for name in extra.case:
            if name not in file.case:
                raise SweepError(
                    f"{self.path}: [tier.{tier}.case.{name}] changes no case"
                    + nearest(name, file.case)
                )
        plans: list[tuple[str, int, dict[str, Any], dict[str, list[Any]]]] = []
        total = 0
        for case, own in (file.case or {"": {}}).items():
            own, own_grid, own_seeds = self._case(case, own)
            tiers, tiers_grid, tiers_seeds = self._case(case, extra.case.get(case, {}))
            count = seeds or tiers_seeds or own_seeds or self.seeds(tier)
            base = {**file.fixed, **extra.fixed, **own, **tiers, **overrides}
            grid = {**file.grid, **extra.grid, **own_grid, **tiers_grid}
            grid = {axis: values for axis, values in grid.items() if axis not in overrides}
            self._check_keys(module, base, grid, overrides)
            for axis, values in grid.items():
                if not values:
                    raise SweepError(f"{self.path}: grid axis {axis!r} is empty; give it a value")
            plans.append((case, count, base, grid))
            total += count * math.prod(len(values) for values in grid.values())
        if total > MAX_RUNS:
            raise SweepError(f"{self.path}: {total:,} runs; a sweep has at most {MAX_RUNS:,}")
        cells: list[Cell] = []
        for case, count, base, grid in plans:
            for point in itertools.product(*grid.values()):
                axes = dict(zip(grid, point, strict=True))
                front: dict[str, Any] = {"case": case} if case else {}
                chosen = {**base, **axes}
                complete, cost = self._complete(module, chosen)  # once: seeds change no more
                for seed in range(self.seed_start, self.seed_start + count):
                    key = run_key(file.kind, {**complete, "seed": seed}, module.SCIENCE)
                    labels = {**front, **axes, "seed": seed}
                    cells.append(Cell(labels, chosen, file.kind, key, cost))
        return cells

    def _check_keys(
        self,
        module: Any,
        base: Mapping[str, Any],
        grid: Mapping[str, Any],
        overrides: Mapping[str, Any],
    ) -> None:
        fields = [field for field in module.Settings.model_fields if field != "seed"]
        for key in (*overrides, *base, *grid):
            if key in fields:
                continue
            place = "--set" if key in overrides else "[grid]" if key in grid else "settings"
            hint = "; use seeds or --seeds" if key == "seed" else nearest(key, fields)
            raise SweepError(f"{self.path}: unknown key {key!r} in {place}{hint}")

    def _complete(self, module: Any, values: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
        """Return all settings of a point of the grid, validated, and a run's cost in seconds."""
        try:
            settings: BaseModel = module.Settings(**values, seed=0)
            return settings.model_dump(), check_size(settings, float(module.cost(settings)))
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            message = first["msg"].removeprefix("Value error, ")
            value = f"{where} = {reprlib.repr(first['input'])}: " if where else ""
            raise SweepError(f"{self.path}: {value}{message}") from error
        except (ValueError, TypeError, ArithmeticError) as error:
            raise SweepError(f"{self.path}: {error}") from error

    def _case(
        self, name: str, case: Mapping[str, Any]
    ) -> tuple[dict[str, Any], dict[str, list[Any]], int]:
        """Split a case into its settings, its own grid and its own seeds (0 without)."""
        settings = dict(case)
        grid, seeds = settings.pop("grid", {}), settings.pop("seeds", None)
        if seeds is not None and (type(seeds) is not int or seeds < 1):
            shown = reprlib.repr(seeds)
            raise SweepError(
                f"{self.path}: [case.{name}] seeds must be an integer >= 1; got {shown}"
            )
        if not (isinstance(grid, dict) and all(isinstance(v, list) for v in grid.values())):
            shown = reprlib.repr(grid)
            raise SweepError(f"{self.path}: [case.{name}.grid] must hold lists; got {shown}")
        return settings, grid, seeds or 0


def sweep_names() -> list[str]:
    """Names of the sweeps that come with motsim."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def split_table(table: str) -> tuple[str, int | None]:
    """Return the name of a sweep and the first seed, if it is not the file's, from `Sweep.table`.

    >>> split_table("rates@seed_start=1000"), split_table("rates")
    (('rates', 1000), ('rates', None))
    """
    name, _, start = table.rpartition(MOVED)
    return (name, int(start)) if name and start.isdecimal() else (table, None)


def sweep_words(table: str, name: str = "") -> str:
    """Return what names a sweep and its seeds in a call, from the name of its tables.

    >>> sweep_words("rates@seed_start=1000")
    'rates --seed-start 1000'
    """
    found, start = split_table(table)
    call = shlex.quote(name or found)
    return call if start is None else f"{call} --seed-start {start}"


def load_sweep(name: str, seed_start: int | None = None) -> Sweep:
    """Read a sweep by name, or any TOML file by its path; `seed_start` replaces the file's.

    Raises
    ------
    SweepError
        If there is none, the file cannot be read, or it is not a sweep; if there is no such seed.
    """
    if seed_start is not None and not 0 <= seed_start <= LAST_START:
        raise SweepError(f"seeds start at 0 to {LAST_START:,}; got {seed_start:,}")
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        found = path.is_file()
    except OSError as error:
        raise SweepError(f"{path}: {error.strerror}") from error
    if not found:
        if name.endswith(".toml"):
            raise SweepError(f"{path}: no such file")
        raise SweepError(f"unknown sweep {name!r}{nearest(name, sweep_names())}")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:  # not only TOMLDecodeError
        raise SweepError(f"{path}: not readable as TOML: {error}") from error
    try:
        file = SweepFile(**content)
        kind_module(file.kind)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        hint = ""
        if first["type"] == "extra_forbidden":
            model = TierTable if first["loc"][0] == "tier" else SweepFile
            hint = nearest(str(first["loc"][-1]), model.model_fields)
        raise SweepError(f"{path}: {where}: {first['msg']}{hint}") from error
    except ValueError as error:
        raise SweepError(f"{path}: {error}") from error
    return Sweep(path.stem, path, file, seed_start)


def parse_override(text: str) -> tuple[str, Any]:
    """``key=value`` with a TOML value; a bare word is a string.

    >>> parse_override("num_experts=8")
    ('num_experts', 8)
    >>> parse_override("loss=logistic")
    ('loss', 'logistic')
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise SweepError(f"--set takes key=value; got {text!r}")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except (ValueError, RecursionError):  # not TOML, or more digits or brackets than Python reads
        return key, value.strip()
