"""How often recorded verdicts came out on fresh seeds: a table of data, joined by the judge only.

`reproduced.csv` has a row a claim, case and tier, as ``python -m motsim.verify NAME... --blocks K
--save FILE`` writes it (motsim/running/reproduction.py). A row is about the verdict that it names:
once another one is recorded it says nothing.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, fields
from functools import cache
from pathlib import Path

from motsim.statistics.interval import Verdict

__all__ = ["COLUMNS", "LEAST", "Reproduced", "known", "read", "reproduced", "text_rows", "told"]

TABLE = Path(__file__).with_name("reproduced.csv")
LEAST = 0.95  # share of blocks in which a recorded verdict is to come out


@dataclass(frozen=True)
class Reproduced:
    """What came out of a recorded verdict in blocks of seeds, the first of which starts at a seed.

    `came_out` blocks gave the verdict, `opposite` ones its opposite; the rest stayed undecided.
    """

    claim: str
    case: str
    tier: str
    verdict: Verdict
    first_seed: int
    blocks: int
    came_out: int
    opposite: int

    @property
    def enough(self) -> bool:
        """Whether it came out in at least `LEAST` of the blocks."""
        return self.came_out >= LEAST * self.blocks

    def as_dict(self) -> dict[str, int]:
        """Seeds and counts, for JSON: what it is about stands around it."""
        names = ("first_seed", "blocks", "came_out", "opposite")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        turned = f", {self.opposite} turned" if self.opposite else ""
        return f"{self.came_out} of {self.blocks} fresh blocks{turned}"


COLUMNS = tuple(field.name for field in fields(Reproduced))


def read(path: Path) -> list[Reproduced]:
    """Rows of such a table.

    Raises
    ------
    ValueError
        If it is another kind of table, naming the line.
    """
    with path.open(newline="", encoding="utf-8") as file:
        lines = csv.reader(file)
        rows = []
        try:
            if tuple(next(lines, ())) != COLUMNS:
                raise ValueError(f"the columns must be {','.join(COLUMNS)}")
            for claim, case, tier, verdict, *numbers in lines:
                first, blocks, out, opposite = map(int, numbers)
                if min(first, out, opposite) < 0 or not out + opposite <= blocks > 0:
                    raise ValueError(f"{out} and {opposite} of {blocks} blocks")
                known = Verdict(verdict)
                rows.append(Reproduced(claim, case, tier, known, first, blocks, out, opposite))
        except (ValueError, csv.Error) as error:  # of bytes that are no text, too
            raise ValueError(f"{path}: line {max(lines.line_num, 1)}: {error}") from None
        return rows


def text_rows(rows: Iterable[Reproduced]) -> list[tuple[str, ...]]:
    """Rows as the table has them."""
    return [tuple(map(str, astuple(row))) for row in rows]


@cache
def _table(path: Path) -> Mapping[tuple[str, str, str], Reproduced]:
    return {(row.claim, row.case, row.tier): row for row in read(path)} if path.exists() else {}


def known(claim: str, tier: str = "quick") -> list[Reproduced]:
    """What was measured of a claim's verdicts."""
    return [row for row in _table(TABLE).values() if (row.claim, row.tier) == (claim, tier)]


def reproduced(claim: str, case: str, tier: str, verdict: Verdict | None) -> Reproduced | None:
    """What came out of a recorded verdict; None if it was not measured, or was another one."""
    row = _table(TABLE).get((claim, case, tier))
    return row if row and row.verdict == verdict else None


def told(rows: Iterable[Reproduced | None]) -> str:
    """Say in a line how often verdicts came out on fresh seeds; empty where none was measured."""
    measured = [row for row in rows if row]
    total, out = sum(row.blocks for row in measured), sum(row.came_out for row in measured)
    if not total:
        return ""
    least, most = min(row.blocks for row in measured), max(row.blocks for row in measured)
    blocks = f"{least}" if least == most else f"{least} to {most}"
    turned = sum(row.opposite for row in measured)
    return (
        f"{out:,} of {total:,} came out ({100 * out / total:.1f} %) on {blocks} fresh blocks of"
        f" seeds, {turned or 'none'} turned"
    )
