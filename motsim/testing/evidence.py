"""Evidence of a test: the files that a rate leaves, and which test is under way.

Loaded by the pytest plugin in every run: nothing heavy is imported.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from motsim.rates.rate import Rate

__all__ = ["Evidence", "current_evidence", "evidence_of_test", "safe_name"]

LONGEST = 120  # characters of a file name


class Evidence:
    """Writer of evidence, one a test: ``evidence(rate)`` leaves picture, JSON and table of laws.

    Parameters
    ----------
    folder : Path, or a function that makes one
        Where files go; made when the first is written.
    name : str
        Of the test; file names start with it.
    always : bool
        Tests that pass leave evidence too.

    Attributes
    ----------
    written : list of Path
        The pictures, in order.
    """

    def __init__(
        self, folder: Path | Callable[[], Path], name: str = "rate", always: bool = True
    ) -> None:
        self.folder, self.name, self.always = folder, name, always
        self.written: list[Path] = []

    def __call__(self, rate: Rate) -> Path:
        """Write NAME.png, NAME.json and NAME.csv; return the path of the picture.

        The CSV holds the laws that were fitted, a row each; of an inconclusive rate below them
        the hitting times (`Rate.times`), all that there is where no law could be fitted.
        Later rates of the same test, and groups, have a number and the group's name added.
        """
        folder = self.folder() if callable(self.folder) else Path(self.folder)
        folder.mkdir(parents=True, exist_ok=True)
        number = f"-{len(self.written) + 1}" if self.written else ""
        base = folder / safe_name(f"{self.name}{number}" + (f"-{rate.name}" if rate.name else ""))
        picture = base.with_name(f"{base.name}.png")
        rate.plot(picture)
        # JSON has no NaN and no infinity: null
        values = json.loads(
            json.dumps(rate.to_dict(), default=float), parse_constant=lambda _: None
        )
        base.with_name(f"{base.name}.json").write_text(json.dumps(values, indent=1) + "\n", "utf-8")
        _laws_and_times(rate).to_csv(base.with_name(f"{base.name}.csv"), index=False)
        self.written.append(picture)
        return picture


def _laws_and_times(rate: Rate) -> pd.DataFrame:
    """Return the laws of a rate; for an inconclusive one with the hitting times it looked at."""
    import pandas as pd

    laws = rate.table()
    if rate.law != "inconclusive":
        return laws
    times = rate.times()
    if not len(laws):
        return times.reindex(columns=[*laws.columns, *times.columns])
    return pd.concat([laws, times], ignore_index=True)


def safe_name(text: str) -> str:
    """Return a file name for a test's node id; ids that differ have names that differ.

    >>> safe_name("tests/test_rate.py::test_descent[sgd]")
    'tests-test_rate.py-test_descent-sgd'
    """
    plain = text.replace("::", "-").replace("/", "-").replace("[", "-").replace("]", "")
    name = re.sub(r"[^A-Za-z0-9._=-]+", "-", plain).strip("-.")
    if name == plain and len(name) <= LONGEST:
        return name
    return f"{name[:LONGEST]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


_current: Evidence | None = None  # of the test under way


@contextmanager
def evidence_of_test(evidence: Evidence) -> Iterator[None]:
    """Let `assert_rate` leave its evidence there; for the pytest plugin."""
    global _current
    before, _current = _current, evidence
    try:
        yield
    finally:
        _current = before


def current_evidence() -> Evidence:
    """Return the evidence of the test under way; outside of one, a folder for temporary files."""
    if _current is not None:
        return _current
    return Evidence(lambda: Path(tempfile.mkdtemp(prefix="motsim-rate-")), always=False)
