"""What is checked of the settings in a sweep file or a call; each refusal is one line."""

import math
import re
import reprlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from motsim.checks import did_you_mean, nearest
from motsim.experiments.protocol import Kind
from motsim.experiments.sizes import check_size
from motsim.plans.file import SweepError

__all__ = [
    "CasePlan",
    "asked_settings",
    "check_axes",
    "check_keys",
    "effective_settings",
    "read_case",
]


@dataclass(frozen=True)
class CasePlan:
    """What a case runs: settings, axes, seeds of each point; `asked`: keys that the call sets."""

    case: str
    seeds: int
    base: Mapping[str, Any]
    grid: Mapping[str, list[Any]]
    asked: frozenset[str]


def check_keys(path: Path, kind: Kind, plan: CasePlan) -> None:
    """Refuse a key that is no setting of the kind."""
    fields = [field for field in kind.Settings.model_fields if field != "seed"]
    for key in (*plan.asked, *plan.base, *plan.grid):
        if key in fields:
            continue
        where = "--set" if key in plan.asked else "[grid]" if key in plan.grid else "settings"
        hint = "; use seeds or --seeds" if key == "seed" else nearest(key, fields)
        raise SweepError(f"{path}: unknown key {key!r} in {where}{hint}")


def check_axes(path: Path, plan: CasePlan) -> None:
    """Refuse an axis without a value, or with one twice: its runs would count twice."""
    for axis, values in plan.grid.items():
        if not values:
            raise SweepError(f"{path}: grid axis {axis!r} is empty; give it a value")
        once: dict[Any, Any] = {}
        for value in values:
            once.setdefault(_same(value), value)
        if len(once) < len(values):
            keys = [_same(value) for value in values]
            twice = next(v for i, v in enumerate(values) if keys[i] in keys[:i])
            raise SweepError(
                f"{path}: grid axis {axis!r}: {reprlib.repr(twice)} is given twice; repetitions"
                f" are seeds: {axis} = {reprlib.repr(list(once.values()))} with seeds or --seeds"
            )


def _same(value: Any) -> Any:
    """What equal values share: 1 and 1.0 are one run, true is another."""
    plain = isinstance(value, int | float | str)
    return (isinstance(value, bool), value) if plain else repr(value)


@contextmanager
def _in_one_line(path: Path) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = first["msg"].removeprefix("Value error, ")
        value = f"{where} = {reprlib.repr(first['input'])}: " if where else ""
        raise SweepError(f"{path}: {value}{message}{_choice_hint(first)}") from error
    except (ValueError, TypeError, ArithmeticError, AttributeError, LookupError) as error:
        raise SweepError(f"{path}: {error}") from error


def asked_settings(path: Path, kind: Kind, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of a point of the grid as they are asked for, validated."""
    with _in_one_line(path):
        return kind.dump(kind.Settings(**values, seed=0))


def effective_settings(
    path: Path, kind: Kind, values: Mapping[str, Any]
) -> tuple[dict[str, Any], float]:
    """Return the settings that a point of the grid is run and stored with, and its cost.

    They have one value for those without effect (`Kind.effective`); the cost is in seconds.
    """
    with _in_one_line(path):
        settings = kind.Settings(**values, seed=0)
        # what the settings of a user's own kind take in memory, only its author knows
        memory = (math.inf,) if kind.own else ()
        cost = check_size(settings, kind.cost(settings), *memory)
        return kind.dump(kind.effective(settings)), cost


def _choice_hint(error: Any) -> str:
    """Return the nearest choice where a setting is one of several words."""
    if error["type"] != "literal_error":
        return ""
    return did_you_mean(error["input"], re.findall(r"'([^']*)'", error["ctx"]["expected"]))


def read_case(
    path: Path, name: str, case: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, list[Any]], int]:
    """Split a case into its settings, its own grid and its own seeds (0 without)."""
    settings = dict(case)
    grid, seeds = settings.pop("grid", {}), settings.pop("seeds", None)
    if seeds is not None and (type(seeds) is not int or seeds < 1):
        shown = reprlib.repr(seeds)
        raise SweepError(f"{path}: [case.{name}] seeds must be an integer >= 1; got {shown}")
    if not (isinstance(grid, dict) and all(isinstance(v, list) for v in grid.values())):
        shown = reprlib.repr(grid)
        raise SweepError(f"{path}: [case.{name}.grid] must hold lists; got {shown}")
    return settings, grid, seeds or 0
