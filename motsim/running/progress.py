"""What a sweep tells while it runs: a bar, plain lines, JSON lines, or nothing."""

import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tqdm import tqdm

from motsim.plans.plan import Cell
from motsim.printing import printable
from motsim.results.store import FAILED

__all__ = ["MODES", "BarProgress", "Count", "JsonProgress", "PlainProgress", "Progress", "spell"]

SECONDS_A_RUN = 0.002  # beside what the run itself costs
PLAIN_SECONDS = 10.0  # between two plain lines


def spell(seconds: float) -> str:
    """Duration in words, rounded as an estimate should be.

    >>> spell(0.2), spell(100), spell(4000), spell(12000)
    ('1 s', '2 min', '67 min', '3 h')
    """
    for unit, length in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 1.5 * length or unit == "s":
            break
    return f"{max(seconds / length, 1):.0f} {unit}"


@dataclass
class Count:
    """How far a sweep is.

    Attributes
    ----------
    sweep : str
    jobs, total, resumed : int
        Runs at a time; runs in all; those that this call found finished (also by another
        process meanwhile).
    done, failed : int
        Runs that this call has ended, failures among them.
    left, spent : float
        Expected cost of the runs that are left and that are done, in seconds of one core.
    """

    sweep: str
    jobs: int
    total: int
    resumed: int
    done: int = 0
    failed: int = 0
    left: float = 0.0
    spent: float = 0.0
    begin: float = field(default_factory=lambda: time.monotonic())

    def expect(self, cells: Sequence[Cell]) -> None:
        """Add what these runs will cost."""
        self.left += sum(cell.cost + SECONDS_A_RUN for cell in cells)

    def add(self, cell: Cell, status: str, seconds: float) -> None:
        """Count one more run; seconds are NaN if this call did not see it run."""
        cost = cell.cost + SECONDS_A_RUN
        self.left = max(self.left - cost, 0.0)
        self.failed += status in FAILED
        if math.isnan(seconds) and status not in FAILED:
            self.resumed += 1
        else:
            self.done += 1
            self.spent += cost

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.begin

    @property
    def rate(self) -> float:
        """Runs a second."""
        return self.done / max(self.elapsed, 1e-9)

    @property
    def eta(self) -> float:
        """Seconds until the end: the estimated cost of what is left, at the pace measured here."""
        if self.done + self.resumed >= self.total:
            return 0.0
        pace = self.spent / max(self.elapsed, 1e-9) if self.spent else self.jobs
        return self.left / pace

    def __str__(self) -> str:
        """One plain line."""
        return (
            f"{self.sweep}: {self.done + self.resumed}/{self.total} runs, {self.failed} failed,"
            f" {self.resumed} resumed, {self.rate:.3g} runs/s, about {spell(self.eta)} left"
        )


class Progress:
    """Tells nothing but what went wrong; the other modes tell more.

    Use `start`, `add` for each run, `stop`; `say` for news, `warn` for failures, `notice` between.
    """

    count: Count

    def start(self, count: Count) -> None:
        """Begin a sweep."""
        self.count = count

    def add(self, cell: Cell, status: str, seconds: float) -> None:
        """Count a run that has ended."""
        self.count.add(cell, status, seconds)

    def stop(self) -> None:
        """End a sweep, finished or interrupted."""

    def say(self, text: str) -> None:
        """Tell some news."""

    def warn(self, text: str) -> None:
        """Tell a failure."""
        print(printable(text), file=sys.stderr, flush=True)

    def notice(self, text: str) -> None:
        """Tell what nobody may miss, though nothing failed: for whom a sweep waits."""
        self.warn(text)


class PlainProgress(Progress):
    """A line every ten seconds, for logs."""

    last = 0.0

    def start(self, count: Count) -> None:  # noqa: D102
        super().start(count)
        self.last = time.monotonic()

    def add(self, cell: Cell, status: str, seconds: float) -> None:  # noqa: D102
        super().add(cell, status, seconds)
        if time.monotonic() - self.last >= PLAIN_SECONDS:
            self.last = time.monotonic()
            self.say(str(self.count))

    def stop(self) -> None:  # noqa: D102
        count = self.count
        self.say(
            f"{count.sweep}: {count.done + count.resumed}/{count.total} runs, {count.failed}"
            f" failed, {count.resumed} resumed, in {spell(count.elapsed)}"
        )

    def say(self, text: str) -> None:  # noqa: D102
        print(printable(text), file=sys.stderr, flush=True)


class BarProgress(Progress):
    """A bar for people at a terminal."""

    bar: Any

    def start(self, count: Count) -> None:  # noqa: D102
        super().start(count)
        self.bar = tqdm(
            total=count.total, initial=count.resumed, desc=printable(count.sweep), unit="run",
            dynamic_ncols=True,
            bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}, {rate_fmt}{postfix}]",
        )  # fmt: skip
        self._describe()
        self.bar.refresh()

    def add(self, cell: Cell, status: str, seconds: float) -> None:  # noqa: D102
        super().add(cell, status, seconds)
        self._describe()
        self.bar.update()

    def stop(self) -> None:  # noqa: D102
        self._describe()
        self.bar.close()

    def say(self, text: str) -> None:  # noqa: D102
        tqdm.write(printable(text), file=sys.stderr)

    warn = say

    def _describe(self) -> None:
        count = self.count
        parts = [f"{count.failed} failed"] if count.failed else []
        parts += [f"{count.resumed} resumed"] if count.resumed else []
        parts += [f"about {spell(count.eta)} left"] if count.eta else []
        self.bar.set_postfix_str(", ".join(parts), refresh=False)


class JsonProgress(Progress):
    """One JSON object a line: events start, run, stop, message, error."""

    def start(self, count: Count) -> None:  # noqa: D102
        super().start(count)
        self._tell("start")

    def add(self, cell: Cell, status: str, seconds: float) -> None:  # noqa: D102
        super().add(cell, status, seconds)
        known = None if math.isnan(seconds) else round(seconds, 6)
        self._tell("run", key=cell.key, labels=cell.labels, status=status, seconds=known)

    def stop(self) -> None:  # noqa: D102
        self._tell("stop")

    def say(self, text: str) -> None:  # noqa: D102
        print(json.dumps({"event": "message", "text": text}), file=sys.stderr, flush=True)

    notice = say

    def warn(self, text: str) -> None:  # noqa: D102
        print(json.dumps({"event": "error", "text": text}), file=sys.stderr, flush=True)

    def _tell(self, event: str, **more: Any) -> None:
        count = self.count
        facts = {
            "event": event, "sweep": count.sweep, **more, "done": count.done,
            "failed": count.failed, "resumed": count.resumed, "total": count.total,
            "rate": round(count.rate, 3), "eta": round(count.eta, 1),
        }  # fmt: skip
        print(json.dumps(facts, default=str), file=sys.stderr, flush=True)


MODES: Mapping[str, Callable[[], Progress]] = {
    "bar": BarProgress,
    "plain": PlainProgress,
    "json": JsonProgress,
    "quiet": Progress,
}
