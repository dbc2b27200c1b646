"""Settings of a call that make cases alike which differ in them: their names then say too much."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from motsim.plans.changes import Changes, shown
from motsim.plans.checks import asked_settings
from motsim.plans.plan import CasePlan, Sweep, SweepError, Tier

__all__ = ["levelled"]


def levelled(sweep: Sweep, tier: Tier) -> Iterator[str]:
    """Yield a line for each ``--set`` for all cases of a key in which these cases differ."""
    keys = [key for key in sweep.changes.sets if "." not in key]
    if not keys:
        return
    only = Changes(cases=sweep.changes.cases)
    plans = list(replace(sweep, changes=only).plans(tier))
    for key in keys:
        cases: dict[str, list[str]] = {}
        for plan in plans:
            cases.setdefault(_value(sweep, plan, key), []).append(plan.case)
        if len(cases) < 2:
            continue
        text = shown(sweep.changes.sets[key])
        before = "; ".join(f"{value} in {', '.join(names)}" for value, names in cases.items())
        one = next(iter(cases.values()))[0]
        yield (
            f"--set {key}={text} is for all cases, which differ in {key} ({before}), whatever"
            f" their names say; for one case: --set {one}.{key}={text}"
        )


def _value(sweep: Sweep, plan: CasePlan, key: str) -> str:
    """Value of a setting in a case without the call, as text: its axis, or what it is set to."""
    if key in plan.grid:
        return ", ".join(shown(value) for value in plan.grid[key])
    first = {axis: values[0] for axis, values in plan.grid.items() if values}
    found: Any = plan.base.get(key)
    with suppress(SweepError):  # right only with what the call sets
        complete = asked_settings(sweep.path, sweep.kind, {**plan.base, **first})
        # a setting that came later is left out of what is stored where it is its default
        found = complete.get(key, sweep.kind.Settings.model_fields[key].default)
    return shown(list(found) if isinstance(found, tuple) else found)
