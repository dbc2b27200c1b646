"""The main command: run a sweep, print its table and verdicts, draw its figure."""

import argparse
import difflib
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command answers --help without loading numpy
    from motsim.plan import Cell, Sweep
    from motsim.tables import Tables

__all__ = ["CommandParser", "main", "positive_integer", "sweep_tables"]

HEADLINE = "rates"
EPILOG = """\
examples:
  python -m motsim.sweep                          the headline: mixture against one transformer
  python -m motsim.sweep --list                   all sweeps
  python -m motsim.sweep coverage similarity      two sweeps, one after the other
  python -m motsim.sweep rates --tier full --jobs 8
  python -m motsim.sweep rates --set num_experts=8 --seeds 3 --out /tmp/try
  python -m motsim.sweep my-sweep.toml            your own file

A second call reuses every finished run. Exit codes: 0 done, 1 a run failed or a verdict is not
the recorded one, 2 the call or a file was wrong, 130 interrupted (finished runs are kept).
"""


class CommandParser(argparse.ArgumentParser):
    """One line on standard error, with the nearest option."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Exit with code 2."""
        known = [o for action in self._actions for o in action.option_strings]
        words = [w for w in message.split() if w.startswith("--")]
        close = difflib.get_close_matches(words[0], known, n=1) if words else []
        hint = f"; did you mean {close[0]}?" if close and close[0] != words[0] else ""
        print(f"{self.prog}: {message}{hint}", file=sys.stderr)
        raise SystemExit(2)


def positive_integer(text: str) -> int:
    """Read a whole number >= 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number >= 1; got {text!r}")
    return value


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog="python -m motsim.sweep",
        description="Run sweeps of simulations; print their tables and verdicts, draw figures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("names", nargs="*", metavar="NAME", help=f"default: {HEADLINE}")
    options.add_argument("--tier", choices=("quick", "full"), default="quick")
    options.add_argument("--out", type=Path, default=Path("results"), metavar="DIR")
    options.add_argument("--jobs", type=positive_integer, default=os.cpu_count() or 1, metavar="N")
    options.add_argument("--seeds", type=positive_integer, metavar="N", help="seeds a setting")
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="sets")
    options.add_argument("--list", action="store_true", help="list the sweeps and stop")
    options.add_argument("--dry-run", action="store_true", help="print the runs and stop")
    options.add_argument("--retry-failed", action="store_true", help="run failed runs again")
    options.add_argument("--no-figure", action="store_true", help="tables and verdicts only")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    from motsim.folder import StoreError, check_folder

    if not (arguments.list or arguments.dry_run):
        try:
            check_folder(arguments.out, make=False)
        except StoreError as error:
            print(f"python -m motsim.sweep: {error}", file=sys.stderr)
            return 2
    from motsim.extras import MissingExtraError
    from motsim.plan import SweepError, load_sweep, parse_override, sweep_names

    try:
        if arguments.list:
            for name in sweep_names():
                try:
                    print(_listed(name, arguments.jobs))
                except SweepError as error:
                    say(str(error))
            return 0
        overrides = dict(parse_override(text) for text in arguments.sets)
        sweeps = [load_sweep(name) for name in arguments.names or [HEADLINE]]
        plans = [(s, s.cells(arguments.tier, overrides, arguments.seeds)) for s in sweeps]
        if arguments.dry_run:
            for sweep, cells in plans:
                print(f"{sweep.name} ({arguments.tier} tier): {_size(cells, arguments.jobs)}")
                for cell in cells:
                    print("  " + "  ".join(f"{k}={v}" for k, v in cell.labels.items()))
            return 0
        signal.signal(signal.SIGTERM, _terminate)
        codes = [_run(sweep, cells, arguments) for sweep, cells in plans]
        return max(codes)
    except (SweepError, StoreError, MissingExtraError) as error:
        print(f"python -m motsim.sweep: {error}", file=sys.stderr)
        return 2
    except RuntimeError as error:
        print(f"python -m motsim.sweep: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, _Terminated) as stop:
        again = " ".join(["python -m motsim.sweep", *(argv if argv is not None else sys.argv[1:])])
        print(
            f"\ninterrupted; finished runs are kept in {arguments.out}. Go on with:\n  {again}",
            file=sys.stderr,
        )
        return 143 if isinstance(stop, _Terminated) else 130


class _Terminated(BaseException):
    """The process was asked to end (SIGTERM)."""


def _terminate(number: int, frame: object) -> None:
    raise _Terminated


def _listed(name: str, jobs: int) -> str:
    """Describe a sweep in three lines; one seed is planned, the others cost the same."""
    from motsim.plan import load_sweep

    sweep = load_sweep(name)
    sizes = [
        f"{tier}: {_size(sweep.cells(tier, seeds=1), jobs, sweep.seeds(tier))}"
        for tier in ("quick", "full")
    ]
    return "\n    ".join([name, sweep.title, *sizes])


def _size(cells: "Sequence[Cell]", jobs: int, seeds: int = 1) -> str:
    """Say how many runs there are and at most how long they take."""
    from motsim.experiments import kind_module

    unique = {cell.key: cell for cell in cells}.values()
    runs = len(unique) * seeds
    seconds = seeds * sum(kind_module(c.kind).cost(c.settings) for c in unique) / jobs
    for unit, length in (("h", 3600.0), ("min", 60.0), ("s", 1.0)):
        if seconds >= 1.5 * length or unit == "s":
            break
    return f"{runs} runs, at most about {max(seconds / length, 1):.0f} {unit} with {jobs} jobs"


def sweep_tables(
    sweep: "Sweep",
    cells: "Sequence[Cell]",
    tier: str,
    folder: Path,
    jobs: int,
    *,
    retry_failed: bool = False,
) -> "Tables":
    """Run what the store does not hold yet, with a progress bar; export and return the tables."""
    from tqdm import tqdm

    from motsim.experiments import kind_module
    from motsim.runner import run_cells
    from motsim.store import Store
    from motsim.tables import export

    wanted = {cell.key for cell in cells}
    with Store(folder) as store:
        if retry_failed:
            store.forget_failures(wanted)
        settled = {key: status for key, status in store.settled().items() if key in wanted}
    todo = len(wanted) - len(settled)
    say(f"{sweep.name} ({tier} tier): {len(wanted)} runs, {len(settled)} finished before")
    if todo:
        _compile(kind_module(sweep.file.kind))
        with tqdm(total=todo, unit="run", desc=sweep.name, dynamic_ncols=True) as bar:
            run_cells(cells, folder, jobs, lambda key, status, seconds: bar.update())
    with Store(folder) as store:
        return export(store, sweep, tier, cells, folder)


def say(text: str) -> None:
    """Tell the user about progress, on standard error, so that output can be piped."""
    print(text, file=sys.stderr, flush=True)


def _run(sweep: "Sweep", cells: "Sequence[Cell]", arguments: argparse.Namespace) -> int:
    from motsim.store import FAILED

    folder: Path = arguments.out
    print(f"{sweep.name}: {sweep.title}")
    tables = sweep_tables(
        sweep, cells, arguments.tier, folder, arguments.jobs, retry_failed=arguments.retry_failed
    )
    print(f"tables: {folder / sweep.name}.csv")
    failed = tables.runs[tables.runs["status"].isin(FAILED)]
    for _, row in failed.iterrows():
        say(f"run {row['run']} failed: {row['error']}")
    if len(failed):
        say(f"{len(failed)} of {len(tables.runs)} runs failed; try them again with --retry-failed")
        return 1
    code = _report(sweep.name, tables)
    if not arguments.no_figure:
        _draw(sweep.name, tables, folder)
    return code


def _compile(kind: Any) -> None:
    """Compile before workers start, so that they all load one finished cache."""
    from motsim.kernel_cache import compiled_here

    first = not compiled_here()
    if first:
        say("compiling the kernels, once on this machine: about 20 s ...")
    begin = time.perf_counter()
    kind.compile_kernels()
    if first:
        say(f"compiled in {time.perf_counter() - begin:.0f} s")


def _report(name: str, tables: "Tables") -> int:
    from motsim.claims import claim_module, claim_names
    from motsim.summary import print_findings, print_hitting_times

    print_hitting_times(tables)
    if name not in claim_names():
        return 0
    findings = claim_module(name).judge(tables)
    print_findings(findings)
    return 0 if all(finding.as_expected for finding in findings) else 1


def _draw(name: str, tables: "Tables", folder: Path) -> None:
    from figures import draw, figure_names

    if name in figure_names():
        for path in draw(name, tables, folder):
            print(f"figure: {path}")


if __name__ == "__main__":
    raise SystemExit(main())
