"""Check every claim: run its sweep where needed, judge it, print the table of verdicts."""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from motsim.command import CommandParser, add_run_options, answer

if TYPE_CHECKING:
    from motsim.plan import Cell
    from motsim.running.progress import Progress

__all__ = ["main"]

EPILOG = """\
examples:
  python -m motsim.verify                        every claim, on the quick tier
  python -m motsim.verify coverage rate-mot      two claims
  python -m motsim.verify --json > verdicts.json
  python -m motsim.verify --list                 the claims and where they come from

Exit codes: 0 every verdict is the recorded one, 1 one is not or a run failed, 2 the call was
wrong, 130 or 143 interrupted (finished runs are kept).
"""


PROGRAM = "python -m motsim.verify"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = CommandParser(
        prog=PROGRAM,
        description="Check the claims of the papers; exit 0 only if each verdict is as recorded.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("names", nargs="*", metavar="NAME", help="default: all claims")
    add_run_options(options)
    options.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options.add_argument("--list", action="store_true", help="list the claims and stop")
    arguments = options.parse_args(argv)
    return answer(PROGRAM, argv, arguments, lambda progress: _act(arguments, progress))


def _act(arguments: argparse.Namespace, progress: "Progress") -> int:
    """Do what the options ask for."""
    from motsim.claims import claim_module, claim_names
    from motsim.extras import MissingExtraError
    from motsim.judging import judge_claims
    from motsim.origins import check_origins
    from motsim.plan import SweepError, load_sweep, nearest
    from motsim.running.backends import open_backend
    from motsim.running.session import Session
    from motsim.summary import print_claims, print_verdicts

    for name in arguments.names:
        if name not in claim_names():
            raise SweepError(f"unknown claim {name!r}{nearest(name, claim_names())}")
    names = arguments.names or claim_names()
    if arguments.list:
        print_claims({name: claim_module(name).CLAIM for name in names})
        return 0
    sweeps = [load_sweep(name) for name in names]
    check_origins(sweeps, arguments.out)
    with open_backend(arguments.backend, arguments.jobs, arguments.scheduler) as backend:
        session = Session(arguments.out, backend, progress)
        ready: list[str] = []
        wanted: set[str] = set()
        left: dict[str, Cell] = {}
        for sweep in sweeps:
            cells = sweep.cells(arguments.tier)
            try:
                left |= session.prepare(sweep, cells, f"{arguments.tier} tier")
            except MissingExtraError as error:
                if arguments.names:
                    raise
                progress.warn(f"{sweep.name}: skipped: {error}")
                continue
            ready.append(sweep.name)
            wanted.update(cell.key for cell in cells)
        # one queue for all claims, the longest runs first: no core waits while one sweep ends
        session.run(ready[0] if len(ready) == 1 else "verify", len(wanted), left)
        progress.say("judging the claims")
        judged = judge_claims(ready, arguments.tier, arguments.out, backend)
    verdicts = {claim: found.findings for claim, found in judged.items()}
    failed = sum(found.failed for found in judged.values())
    if arguments.json:
        print(
            json.dumps(
                {
                    name: {
                        **asdict(claim_module(name).CLAIM),
                        "findings": [asdict(finding) for finding in findings],
                    }
                    for name, findings in verdicts.items()
                },
                indent=1,
            )
        )
    else:
        print_verdicts(verdicts, {name: claim_module(name).CLAIM for name in names})
    if failed:
        progress.warn(f"{failed} runs failed; try them again with motsim.sweep NAME --retry-failed")
    right = all(finding.as_expected for found in verdicts.values() for finding in found)
    return 0 if right and not failed else 1


if __name__ == "__main__":
    raise SystemExit(main())
