"""The main command: run a sweep, print its table and verdicts, draw its figure."""

import argparse
import os
import shlex
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motsim.commands.answer import answer
from motsim.commands.called import CalledModule
from motsim.commands.parser import CommandParser, add_run_options, positive_integer, shard_name

if TYPE_CHECKING:  # the command answers --help without loading numpy
    from motsim.plans.plan import Cell, Sweep
    from motsim.results.tables import Tables
    from motsim.running.progress import Progress
    from motsim.running.session import Session

__all__ = ["CommandParser", "main"]

sys.modules[__name__].__class__ = CalledModule  # motsim.sweep("my.toml"), also once it is loaded

PROGRAM = "python -m motsim.sweep"
HEADLINE = "rates"
EPILOG = """\
examples:
  python -m motsim.sweep                          the headline: mixture against one transformer
  python -m motsim.sweep --list                   all sweeps
  python -m motsim.sweep coverage similarity      two sweeps, one after the other
  python -m motsim.sweep rates --tier full --jobs 8
  python -m motsim.sweep rates --set dim=32 --seeds 3       beside the others: rates@dim=32.csv
  python -m motsim.sweep rates --case mot-squared --set num_experts=8,16,32   one case, an axis
  python -m motsim.sweep rates --set single-4-squared.num_experts=8   a setting of one case
  python -m motsim.sweep rates --seed-start 1000  other seeds; tables rates@seed_start=1000.csv
  python -m motsim.sweep my-sweep.toml            your own file
  python -m motsim.sweep rates --backend dask --scheduler tcp://host:8786
  python -m motsim.sweep rates --shard 1/3 --out first      one of three machines; then, on one,
  python -m motsim.sweep rates --collect first second third
  python -m motsim.sweep --status                 what is in the results folder
  python -m motsim.sweep --free 3fa92c1b          take the runs of a holder that --status names
  python -m motsim.sweep --schema > sweep.schema.json       for editors that complete TOML

A second call reuses every finished run. Exit codes: 0 done, 1 a run failed or a verdict is not
the recorded one, 2 the call or a file was wrong, 130 or 143 interrupted (finished runs are kept).
"""


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog=PROGRAM,
        description="Run sweeps of simulations; print their tables and verdicts, draw figures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("names", nargs="*", metavar="NAME", help=f"default: {HEADLINE}")
    add_run_options(options)
    options.add_argument("--seeds", type=positive_integer, metavar="N", help="seeds a setting")
    options.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="sets",
        help="a setting of every case, or CASE.KEY=VALUE of one; KEY=A,B runs both",
    )  # fmt: skip
    options.add_argument(
        "--case", action="append", default=[], metavar="NAME", help="run this case only"
    )
    options.add_argument("--retry-failed", action="store_true", help="run failed runs again")
    options.add_argument("--no-figure", action="store_true", help="tables and verdicts only")
    options.add_argument("--shard", type=shard_name, metavar="I/N", help="run one of N shares")
    tasks = options.add_argument_group("instead of running").add_mutually_exclusive_group()
    tasks.add_argument("--list", action="store_true", help="list the sweeps")
    tasks.add_argument("--dry-run", action="store_true", help="print the runs and their time")
    tasks.add_argument("--status", action="store_true", help="say what is in the results folder")
    tasks.add_argument(
        "--collect", nargs="+", type=Path, metavar="DIR", help="merge the stores of other folders"
    )
    tasks.add_argument("--free", metavar="HOLDER", help="take away the runs of one that has ended")
    tasks.add_argument("--schema", action="store_true", help="print the JSON schema of sweep files")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = (options := parser()).parse_args(argv)
    if arguments.shard and arguments.collect:  # a share would be exported as the whole
        options.error("--collect merges all shares of a sweep; leave --shard out")
    if arguments.list and arguments.names:
        options.error("--list lists all sweeps; leave the names out, or use --dry-run")
    reads = arguments.list or arguments.dry_run or arguments.status or arguments.schema
    return answer(
        PROGRAM, argv, arguments, lambda progress: _act(arguments, progress), writes=not reads
    )


def _act(arguments: argparse.Namespace, progress: "Progress") -> int:
    """Do what the options ask for."""
    from motsim.plans.changes import Changes, parse_override
    from motsim.plans.levelled import levelled
    from motsim.plans.loading import load_sweep
    from motsim.plans.origins import check_origins
    from motsim.running.backends import open_backend
    from motsim.running.preview import dry_run, listed
    from motsim.running.session import Session

    if arguments.schema:
        from motsim.plans.schema import sweep_schema

        own = [sweep for sweep in map(load_sweep, arguments.names) if sweep.kind.own]
        return _print_lines([sweep_schema({sweep.file.kind: sweep.kind for sweep in own})])
    if arguments.status:
        from motsim.running.status import describe

        return _print_lines(describe(arguments.out, arguments.names, arguments.seed_start))
    if arguments.free:
        from motsim.running.holders import free

        return _print_lines([free(arguments.out, arguments.free)])
    jobs = arguments.jobs or os.cpu_count() or 1
    if arguments.list:
        return _print_lines(listed(jobs, progress.warn))
    changes = Changes(
        dict(parse_override(text) for text in arguments.sets),
        tuple(dict.fromkeys(arguments.case)),
        arguments.seed_start,
        arguments.seeds,
    )
    headline = [] if arguments.collect else [HEADLINE]
    sweeps = [load_sweep(name, changes=changes) for name in arguments.names or headline]
    plans = [(sweep, sweep.cells(arguments.tier)) for sweep in sweeps]
    check_origins(sweeps, arguments.out)
    for sweep in sweeps:
        for line in levelled(sweep, arguments.tier):
            progress.warn(f"{sweep.name}: {line}")
    if arguments.shard:
        plans = [(sweep, arguments.shard.cells(cells)) for sweep, cells in plans]
    if arguments.dry_run:
        for sweep, cells in plans:
            _print_lines(dry_run(sweep, cells, arguments.out, jobs))
        return 0
    if arguments.collect:
        return _collect(plans, arguments, progress)
    with open_backend(arguments.backend, arguments.jobs, arguments.scheduler) as backend:
        session = Session(arguments.out, backend, progress, retry_failed=arguments.retry_failed)
        return max(_run(sweep, cells, arguments, session) for sweep, cells in plans)


def _print_lines(lines: Iterable[str]) -> int:
    for line in lines:
        print(line)
    return 0


def _collect(
    plans: "Sequence[tuple[Sweep, Sequence[Cell]]]",
    arguments: argparse.Namespace,
    progress: "Progress",
) -> int:
    """Merge stores; export and report the named sweeps, as far as they are complete."""
    from motsim.results.export import export
    from motsim.results.store import Store
    from motsim.running.shards import collect

    folder: Path = arguments.out
    print(f"{collect(arguments.collect, folder)} runs added to {folder / 'results.db'}")
    code = 0
    for sweep, cells in plans:
        with Store(folder) as store:
            settled = store.settled()
            missing = len({cell.key for cell in cells} - settled.keys())
            if not missing:
                tables = export(store, sweep, arguments.tier, cells, folder, progress.notice)
        if missing:
            progress.warn(
                f"{sweep.name}: {missing} runs are in none of the folders; compute them with:"
                f" {PROGRAM} {_again(sweep, arguments)} --out {shlex.quote(str(folder))}"
            )
            code = 1
        else:
            code = max(code, _report(sweep, cells, tables, arguments, progress))
    return code


def _run(
    sweep: "Sweep", cells: "Sequence[Cell]", arguments: argparse.Namespace, session: "Session"
) -> int:
    from motsim.commands.summary import print_title

    print_title(f"{sweep.name}: {sweep.title}")
    if arguments.shard:
        return _run_shard(sweep, cells, arguments, session)
    tables = session.tables(sweep, cells, arguments.tier)
    return _report(sweep, cells, tables, arguments, session.progress)


def _run_shard(
    sweep: "Sweep", cells: "Sequence[Cell]", arguments: argparse.Namespace, session: "Session"
) -> int:
    """Run a share; its tables would be incomplete, so there are none until it is collected."""
    failures = session.compute(sweep, cells, f"{arguments.tier} tier, shard {arguments.shard}")
    for key, error in failures.items():
        session.progress.warn(f"run {key[:12]} failed: {error}")
    print(
        f"shard {arguments.shard}: {len(cells) - len(failures)} of {len(cells)} runs are in"
        f" {arguments.out / 'results.db'}; merge all shards with:"
        f" {PROGRAM} {_again(sweep, arguments)} --collect DIR..."
    )
    return 1 if failures else 0


def _again(sweep: "Sweep", arguments: argparse.Namespace) -> str:
    """Say what makes these runs in a call: sweep, changes, tier."""
    return sweep.argument + (f" --tier {arguments.tier}" if arguments.tier != "quick" else "")


def _report(
    sweep: "Sweep",
    cells: "Sequence[Cell]",
    tables: "Tables",
    arguments: argparse.Namespace,
    progress: "Progress",
) -> int:
    """Say where the tables are, which runs failed, what the verdicts are; draw the figure."""
    from motsim.claims import claim_of
    from motsim.claims._recorded import judged
    from motsim.commands.setting_lines import conclusion
    from motsim.commands.summary import print_conclusion, print_findings, print_hitting_times
    from motsim.results.store import FAILED
    from motsim.results.tables import table_path

    path = table_path(arguments.out, tables.name, "", tables.meta)
    if len(versions := tables.meta["versions"]) > 1:
        names = sorted(set().union(*versions))
        mixed = [n for n in names if len({one.get(n) for one in versions}) > 1]
        progress.notice(
            f"{sweep.name}: runs of several versions of {', '.join(mixed)} stand together; they may"
            f" differ in the last digits ({PROGRAM} --status says how many are of which)"
        )
    runs = tables.runs.drop_duplicates("run")
    failed = runs[runs["status"].isin(FAILED)]
    for _, row in failed.iterrows():
        progress.warn(f"run {row['run']} failed: {row['error']}")
    if len(failed):
        progress.warn(
            f"{len(failed)} of {len(runs)} runs failed; try them again with --retry-failed"
        )
        print(f"tables: {path}")
        return 1
    code, findings, recorded = 0, [], not (sweep.moved or sweep.altered)
    claim = claim_of(sweep)
    if claim and not sweep.altered:
        findings = list(judged(sweep.name, tables, claim))
        print_conclusion(getattr(claim, "conclusion", lambda _: [])(findings))
    print_hitting_times(tables)
    if findings:
        print_findings(findings)
        code = 0 if not recorded or all(finding.as_expected for finding in findings) else 1
        if sweep.moved:
            print(
                f"verdicts are recorded for seeds from {sweep.file.seed_start}, not for these from"
                f" {sweep.seed_start}: the exit code does not depend on them"
            )
    else:
        _print_lines(conclusion(sweep, tables, cells, arguments.out))
        if claim:
            print("no verdict is recorded for changed settings")
    print(f"tables: {path}")
    name = "" if sweep.altered else sweep.name
    if not arguments.no_figure and not _draw(name, tables, arguments.out, progress):
        return 1
    return code


def _draw(name: str, tables: "Tables", folder: Path, progress: "Progress") -> bool:
    """Draw the figure of a claim, or of any sweep; whatever goes wrong, say it, return False."""
    from motsim.figures import ANY, draw, figure_names
    from motsim.results.tables import TablesError

    own = name in figure_names()
    if not own and not ({"epsilon", "step"} <= set(tables.main) or "curve" in tables.others):
        return True
    try:
        paths = draw(name if own else ANY, tables, folder)
    except (TablesError, OSError) as error:
        progress.warn(f"no figure: {error}")
        # a sweep of one's own of which every run diverged has nothing to draw, and is done
        return not own and isinstance(error, TablesError)
    except Exception as error:
        progress.warn(f"no figure: {type(error).__name__}: {' '.join(str(error).split())}")
        return False
    for path in paths:
        print(f"figure: {path}")
    return True


if __name__ == "__main__":
    from motsim.commands.streams import as_process

    raise SystemExit(as_process(main))
