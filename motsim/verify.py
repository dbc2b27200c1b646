"""Check every claim: run its sweep where needed, judge it, print the table of verdicts."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from motsim.checks import nearest
from motsim.commands.answer import answer
from motsim.commands.parser import CommandParser, add_run_options, positive_integer

if TYPE_CHECKING:
    from motsim.claims import Finding
    from motsim.plans.plan import Cell, Sweep
    from motsim.running.judging import Judged
    from motsim.running.progress import Progress
    from motsim.running.session import Session

__all__ = ["main", "parser"]

EPILOG = """\
examples:
  python -m motsim.verify                        every claim, on the quick tier
  python -m motsim.verify coverage rate-mot      two claims
  python -m motsim.verify --json > verdicts.json
  python -m motsim.verify coverage --blocks 20   how often its verdicts come out with other seeds
  python -m motsim.verify rates --together       and which verdicts stand together
  python -m motsim.verify my-sweep.toml          the [claim] of your own file
  python -m motsim.verify --list                 the claims and where they come from

Exit codes: 0 every verdict is the recorded one, 1 one is not or a run failed, 2 the call was
wrong, 130 or 143 interrupted (finished runs are kept).

With --together verdicts marked * are decided alone, at 95 %, and not together with the others of
their claim: that any of the rest is false has a chance of at most 5 % a claim (Holm's rule).

With --blocks K each claim is judged K times: block i has the seeds from N + 1000 i, N being
--seed-start or 100000. Exit code 1 then means that a verdict recorded as holds came out as fails,
or the other way round, in two blocks or more, or that a run failed. See a block's tables with
python -m motsim.sweep NAME --seed-start START. In the table that --save writes, rows of other
claims stay; that of motsim's own claims is motsim/claims/reproduced.csv.
"""


PROGRAM = "python -m motsim.verify"


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog=PROGRAM,
        description="Check the claims of the papers; exit 0 only if each verdict is as recorded.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("names", nargs="*", metavar="NAME", help="default: all claims")
    add_run_options(options)
    options.add_argument(
        "--blocks", type=positive_integer, metavar="K", help="judge on K fresh blocks of seeds"
    )
    options.add_argument(
        "--save", type=Path, metavar="FILE", help="with --blocks: what came out, as a CSV table"
    )
    options.add_argument(
        "--together",
        action="store_true",
        help="say which verdicts of a claim stand together (Holm)",
    )
    options.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options.add_argument("--list", action="store_true", help="list the claims and stop")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    return answer(PROGRAM, argv, arguments, lambda progress: _act(arguments, progress))


def _act(arguments: argparse.Namespace, progress: "Progress") -> int:
    """Do what the options ask for."""
    from motsim.claims import claim_names, claim_of
    from motsim.commands.summary import print_claims, print_verdicts
    from motsim.plans.loading import beside, load_sweep
    from motsim.plans.origins import check_origins
    from motsim.plans.plan import SweepError
    from motsim.running.backends import open_backend
    from motsim.running.session import Session

    for name in arguments.names:
        if name not in claim_names() and not name.endswith(".toml"):
            hint = beside(name) or nearest(name, claim_names())
            raise SweepError(f"unknown claim {name!r}{hint}")
    names = list(dict.fromkeys(arguments.names)) or claim_names()
    sweeps = [load_sweep(name, arguments.seed_start) for name in names]
    claims = {}
    for sweep in sweeps:
        claim = claim_of(sweep)
        if claim is None:
            raise SweepError(f'{sweep.path}: no [claim] to verify; add one, such as law = "log"')
        claims[sweep.name] = claim.CLAIM
    if arguments.list:
        print_claims(claims)
        return 0
    check_origins(sweeps, arguments.out)
    if arguments.blocks:
        if arguments.together:
            raise SweepError("--together is for one table of verdicts; leave it out with --blocks")
        return _reproduce(sweeps, arguments, progress)
    if arguments.save is not None:
        raise SweepError("--save writes what comes out on fresh blocks; add --blocks K")
    with open_backend(arguments.backend, arguments.jobs, arguments.scheduler) as backend:
        session = Session(arguments.out, backend, progress)
        judged = _judged(sweeps, arguments, session, arguments.out)
    verdicts = {claim: found.findings for claim, found in judged.items()}
    if arguments.json:
        print(
            json.dumps(
                {
                    name: {
                        **asdict(claims[name]),
                        "findings": [finding.as_dict() for finding in found.findings],
                        **({} if found.together is None else {"together": found.together}),
                    }
                    for name, found in judged.items()
                },
                indent=1,
            )
        )
    else:
        print_verdicts(
            verdicts,
            claims,
            {name: found.together for name, found in judged.items()},
        )
    failed = _warn_of_failures(judged, arguments.seed_start, progress)
    right = all(finding.as_expected for found in verdicts.values() for finding in found)
    return 0 if right and not failed else 1


def _judged(
    sweeps: "Sequence[Sweep]", arguments: argparse.Namespace, session: "Session", tables: Path
) -> "dict[str, Judged]":
    """Run what claims need and the store does not hold; judge them, their tables in a folder.

    A claim whose extra is not installed is skipped with a warning, unless it was named.
    """
    from motsim.extras import MissingExtraError
    from motsim.running.judging import judge_claims

    ready: dict[str, str] = {}
    wanted: set[str] = set()
    left: dict[str, Cell] = {}
    for sweep in sweeps:
        cells = sweep.cells(arguments.tier)
        try:
            left |= session.prepare(sweep, cells, f"{arguments.tier} tier")
        except MissingExtraError as error:
            if arguments.names:
                raise
            session.progress.warn(f"{sweep.name}: skipped: {error}")
            continue
        own = sweep.file.claim is not None
        ready[sweep.name] = str(sweep.path) if own else sweep.name
        wanted.update(cell.key for cell in cells)
    # one queue for all claims, the longest runs first: no core waits while one sweep ends
    session.run(next(iter(ready)) if len(ready) == 1 else "verify", len(wanted), left)
    session.progress.say("judging the claims")
    start = sweeps[0].changes.start
    found = judge_claims(
        list(ready.values()), arguments.tier, arguments.out, session.backend,
        seed_start=start, tables=tables, together=arguments.together,
    )  # fmt: skip
    return {name: found[source] for name, source in ready.items()}


def _warn_of_failures(judged: "dict[str, Judged]", start: int | None, progress: "Progress") -> int:
    """Say how many runs failed and how to try them again; return the number."""
    failed = sum(found.failed for found in judged.values())
    if failed:
        moved = "" if start is None else f" --seed-start {start}"
        progress.warn(
            f"{failed} runs failed; try them again with motsim.sweep NAME{moved} --retry-failed"
        )
    return failed


def _reproduce(
    named: "Sequence[Sweep]", arguments: argparse.Namespace, progress: "Progress"
) -> int:
    """Judge claims on fresh blocks of seeds, one after the other; count what came out.

    Their tables are made aside and not kept; those of a block come with motsim.sweep.
    """
    from motsim.commands.summary import print_reproduction
    from motsim.plans.loading import load_sweep
    from motsim.plans.plan import SweepError
    from motsim.running.backends import open_backend
    from motsim.running.reproduction import (
        FRESH,
        as_json,
        block_starts,
        check_span,
        count,
        save,
        saved,
    )
    from motsim.running.session import Session

    first = FRESH if arguments.seed_start is None else arguments.seed_start
    try:  # before hours of work
        if arguments.save is not None:
            saved(arguments.save, [sweep.path for sweep in named if sweep.file.claim is not None])
        starts = block_starts(arguments.blocks, first)
        check_span(named, arguments.tier)
    except ValueError as error:
        raise SweepError(str(error)) from None
    names = [str(sweep.path) if sweep.file.claim is not None else sweep.name for sweep in named]
    every = [[load_sweep(name, start) for name in names] for start in starts]
    blocks: list[dict[str, tuple[Finding, ...]]] = []
    failed = 0
    with open_backend(arguments.backend, arguments.jobs, arguments.scheduler) as backend:
        session = Session(arguments.out, backend, progress)
        for i, (start, sweeps) in enumerate(zip(starts, every, strict=True)):
            progress.say(f"block {i + 1} of {len(starts)}: seeds from {start}")
            if blocks:  # what was skipped is said once
                sweeps = [sweep for sweep in sweeps if sweep.name in blocks[0]]
            with TemporaryDirectory() as aside:
                judged = _judged(sweeps, arguments, session, Path(aside))
            failed += _warn_of_failures(judged, start, progress)
            blocks.append({name: found.findings for name, found in judged.items()})
    counted = count(blocks)
    if arguments.save is not None:
        try:
            save(arguments.save, counted, arguments.tier, starts)
        except ValueError as error:  # it became another file meanwhile
            raise SweepError(f"not written: {error}; the runs are kept") from None
        progress.say(f"written: {arguments.save}")
    if arguments.json:
        print(json.dumps(as_json(counted, arguments.tier, starts), indent=1))
    else:
        print_reproduction(counted, starts)
    turned = any(row.turned for rows in counted.values() for row in rows)
    return 1 if turned or failed else 0


if __name__ == "__main__":
    from motsim.commands.streams import as_process

    raise SystemExit(as_process(main))
