"""Do recorded verdicts come out with other seeds? Counted over fresh blocks of seeds.

A block is every seed of a claim's sweep, started elsewhere: block i starts at N + i `STRIDE`. No
sweep has `STRIDE` seeds a setting, so that no two blocks share a run. A verdict that is recorded as
*holds* or *fails* comes out in a block, turns to its opposite, or stays undecided: inconclusive, or
not among the findings of that block (missing). Verdicts recorded as *inconclusive* are not counted.

One opposite verdict may be chance: many verdicts are read, each at 95 %. One that a second block
repeats is not taken for chance: the check fails.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from motsim.claims import Finding, Verdict, claim_names
from motsim.claims._reproduced import COLUMNS, Reproduced, read, text_rows
from motsim.plans.file import LAST_START, Tier
from motsim.plans.plan import Sweep
from motsim.results.files import TableFile, replace_all

__all__ = [
    "FRESH",
    "STRIDE",
    "Recorded",
    "as_json",
    "block_starts",
    "check_span",
    "chosen_start",
    "count",
    "save",
    "saved",
    "totals",
]

FRESH = 100_000  # start of the first block, if none is given
STRIDE = 1_000  # from block to block: more than the seeds of any sweep in any tier
CHOSEN = 1_000_000  # blocks that a hash chooses start here or later, apart from those above
CHOICES = 900_000


@dataclass(frozen=True)
class Recorded:
    """A verdict recorded as holds or fails, and what came out in each block.

    Attributes
    ----------
    claim, case : str
    recorded : {"holds", "fails"}
    verdicts : tuple
        One a block; None where the block has no finding of this case.
    """

    claim: str
    case: str
    recorded: Verdict
    verdicts: tuple[Verdict | None, ...]

    @property
    def came_out(self) -> int:
        """Number of blocks with the recorded verdict."""
        return self.verdicts.count(self.recorded)

    @property
    def opposite(self) -> int:
        """Number of blocks with holds for fails or fails for holds."""
        return self.verdicts.count(self.recorded.opposite)

    @property
    def inconclusive(self) -> int:
        """Number of blocks without a decision."""
        return self.verdicts.count(Verdict.INCONCLUSIVE)

    @property
    def missing(self) -> int:
        """Number of blocks without a finding."""
        return self.verdicts.count(None)

    @property
    def undecided(self) -> int:
        """Number of blocks that neither confirm the verdict nor turn it."""
        return self.inconclusive + self.missing

    @property
    def turned(self) -> bool:
        """Whether a second block repeats an opposite verdict."""
        return self.opposite >= 2

    def as_dict(self) -> dict[str, Any]:
        """Everything, for JSON."""
        names = ("came_out", "opposite", "inconclusive", "missing")
        return {
            "case": self.case,
            "recorded": self.recorded,
            "verdicts": list(self.verdicts),
            **{name: getattr(self, name) for name in names},
        }


def block_starts(blocks: int, start: int = FRESH) -> list[int]:
    """Return the first seed of each block.

    >>> block_starts(3)
    [100000, 101000, 102000]

    Raises
    ------
    ValueError
        If the first block is that of the recorded verdicts, or the last begins at no seed.
    """
    if start < STRIDE:
        raise ValueError(
            f"fresh blocks start at seed {STRIDE} or later, as recorded verdicts come from the"
            f" seeds below; got --seed-start {start}"
        )
    most = (LAST_START - start) // STRIDE + 1
    if blocks > most:
        raise ValueError(f"--blocks from seed {start}: at most {most:,}; got {blocks:,}")
    return [start + i * STRIDE for i in range(blocks)]


def check_span(sweeps: Iterable[Sweep], tier: Tier) -> None:
    """Refuse a sweep whose blocks would share runs.

    Raises
    ------
    ValueError
        If it has `STRIDE` seeds of a setting or more.
    """
    for sweep in sweeps:
        seeds = [cell.labels["seed"] for cell in sweep.cells(tier)]
        if seeds and (many := max(seeds) - min(seeds) + 1) > STRIDE:
            raise ValueError(f"{sweep.name}: {many:,} seeds; a block has at most {STRIDE:,}")


def chosen_start(text: str) -> int:
    """Return the start of the block that a text chooses, such as the hash of a commit."""
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return CHOSEN + STRIDE * (int.from_bytes(digest, "big") % CHOICES)


def count(blocks: Sequence[Mapping[str, Sequence[Finding]]]) -> dict[str, list[Recorded]]:
    """Collect what came out of each recorded verdict; one mapping of claim to findings a block.

    A case that one block has and another has not is missing there.

    Raises
    ------
    ValueError
        If two findings of a block have one case, or two blocks record different verdicts for it.
    """
    recorded: dict[tuple[str, str], Verdict | None] = {}
    found: list[dict[tuple[str, str], Verdict]] = []
    for block in blocks:
        verdicts: dict[tuple[str, str], Verdict] = {}
        for claim, findings in block.items():
            for finding in findings:
                judged = (claim, finding.case)
                if judged in verdicts:
                    raise ValueError(f"{claim}: two findings of case {finding.case!r} in a block")
                if recorded.setdefault(judged, finding.expected) != finding.expected:
                    raise ValueError(f"{claim}: {finding.case!r} is recorded in two ways")
                verdicts[judged] = finding.verdict
        found.append(verdicts)
    counted: dict[str, list[Recorded]] = {claim: [] for block in blocks for claim in block}
    for (claim, case), verdict in recorded.items():
        if verdict in (Verdict.HOLDS, Verdict.FAILS):
            every = tuple(verdicts.get((claim, case)) for verdicts in found)
            counted[claim].append(Recorded(claim, case, verdict, every))
    return counted


def totals(every: Iterable[Recorded]) -> dict[str, int]:
    """Return the numbers of verdicts (block by block), of what came out, and of what turned."""
    rows = list(every)
    return {
        "recorded": len(rows),
        "verdicts": sum(len(row.verdicts) for row in rows),
        "came_out": sum(row.came_out for row in rows),
        "opposite": sum(row.opposite for row in rows),
        "inconclusive": sum(row.inconclusive for row in rows),
        "missing": sum(row.missing for row in rows),
        "always": sum(row.came_out == len(row.verdicts) for row in rows),
        "turned": sum(row.turned for row in rows),
    }


def as_json(
    counted: Mapping[str, Sequence[Recorded]], tier: str, starts: Sequence[int]
) -> dict[str, Any]:
    """Return what `count` found, with the seeds it was found on."""
    return {
        "tier": tier,
        "blocks": list(starts),
        "claims": {claim: [row.as_dict() for row in rows] for claim, rows in counted.items()},
        "totals": totals(row for rows in counted.values() for row in rows),
    }


def saved(path: Path, own: Sequence[Path] = ()) -> list[Reproduced]:
    """Rows that a table of what came out has so far; none if it is not there.

    `own` are sweep files that are not motsim's, whose rows the table is to have.

    Raises
    ------
    ValueError
        If it is another kind of file, no such file can be made there, or rows of motsim's own
        claims would be replaced by those of another file.
    """
    for file in own:
        if file.stem in claim_names():
            raise ValueError(f"--save: {file} has the name of a claim of motsim; give it another")
    if not path.parent.is_dir():
        raise ValueError(f"--save: there is no folder {path.parent}")
    try:
        if path.exists() and not path.is_file():
            raise ValueError(f"--save: {path} is no regular file")
        if path.suffix != ".csv":
            raise ValueError(f"--save writes a CSV table; got {path}: name it {path.stem}.csv")
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass  # the folder can be written, and the name is not too long
        return read(path) if path.exists() else []
    except OSError as error:
        raise ValueError(f"--save: {path}: {error.strerror}") from None


def save(
    path: Path, counted: Mapping[str, Sequence[Recorded]], tier: str, starts: Sequence[int]
) -> None:
    """Write what `count` found into a table; rows of other claims and tiers in it stay.

    Raises
    ------
    ValueError
        If the file is another kind of table; it stays as it was.
    StoreError
        If it cannot be written; it stays as it was.
    """
    kept = [row for row in saved(path) if row.tier != tier or row.claim not in counted]
    new = [
        Reproduced(
            row.claim, row.case, tier, row.recorded, starts[0], len(starts), row.came_out,
            row.opposite,
        )
        for rows in counted.values()
        for row in rows
    ]  # fmt: skip
    path = path.resolve()  # a link stays one
    rows = sorted([*kept, *new], key=lambda row: (row.claim, row.tier))  # cases as they were found
    file = TableFile(path, COLUMNS)
    with replace_all([file], nullcontext):
        file.write_rows(text_rows(rows))
