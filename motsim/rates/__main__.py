"""Which law do the curves of a file follow? ``python -m motsim.rates FILE...``."""

import argparse
import json
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motsim.commands.door import spoken
from motsim.commands.parser import CommandParser
from motsim.printing import one_line, printed

if TYPE_CHECKING:
    from motsim.rates.groups import Rates
    from motsim.rates.rate import Rate

__all__ = ["main", "parser"]

PROGRAM = "python -m motsim.rates"
EPILOG = """\
examples:
  python -m motsim.rates metrics.csv
  python -m motsim.rates runs/*.csv --loss val_loss --step epoch
  python -m motsim.rates log.csv --by optimizer --where dataset=a --plot law.png
  python -m motsim.rates log.csv --floor 2.0 --range 1e-6 1e-1
  python -m motsim.rates log.csv --at 0.1 0.01 --json

FILE is long (columns run, step, loss) or wide (a column for each run): CSV, also gzipped, Parquet,
JSON lines, and what Lightning, Keras, Weights & Biases, TensorBoard, Hugging Face, benchopt, COCO
and IOHprofiler write. Columns are guessed and the guess is said.

Exit codes: 0 answered (inconclusive is an answer; in CI use motsim.testing.assert_rate), 2 the
call or a file was wrong (one line says what).
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    options = parser()
    arguments = options.parse_args(argv)
    if not arguments.files:
        options.error("FILE is missing; it stands before options that take several values")
    if arguments.local and arguments.plot is None:
        options.error("--local says what --plot draws; got no --plot: add --plot local.png")
    if arguments.plot is not None:
        from motsim.rates.picture import SUFFIXES

        if arguments.plot.suffix.lower() not in SUFFIXES:
            options.error(f"--plot must end in {', '.join(SUFFIXES)}; got {arguments.plot}")
        if not arguments.plot.parent.is_dir():
            options.error(f"--plot: {arguments.plot.parent} is no folder")
    from motsim.rates.rating import rate
    from motsim.rates.reading import ReadingError

    try:
        found = rate(
            arguments.files,
            loss=arguments.loss,
            step=arguments.step,
            run=arguments.run,
            where=arguments.where,
            by=arguments.by,
            optimum=arguments.optimum,
            floor=arguments.floor,
            eps_range=arguments.range,
            passage=arguments.passage,
            level=arguments.level,
        )
        if arguments.json:
            print(json.dumps(_told(found, arguments.at), indent=1, allow_nan=False))
        else:
            with printed():
                _print(found, arguments.at)
        if arguments.plot is not None:
            found.plot(arguments.plot, local=arguments.local)
            print(one_line(f"picture: {arguments.plot}"), file=sys.stderr)
    except ReadingError as error:
        print(one_line(spoken(f"{PROGRAM}: {error}")), file=sys.stderr)
        return 2
    except OSError as error:
        told = f"{PROGRAM}: {error.strerror}: {error.filename}"
        print(one_line(spoken(told)), file=sys.stderr)
        return 2
    return 0


def parser() -> CommandParser:
    """Return the command's options."""
    options = CommandParser(
        prog=PROGRAM,
        description="Which law do steps to accuracy follow: log(1/eps), 1/eps, another power?",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = options.add_argument
    add("files", nargs="*", metavar="FILE", help="what training runs wrote")
    add("--loss", metavar="COLUMN", help="column of the loss")
    add("--step", metavar="COLUMN", help="column of steps, epochs, samples, FLOP …")
    add("--run", nargs="+", default=[], metavar="COLUMN", help="columns that name a run")
    add(
        "--by",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns that make groups: a table, a row each",
    )
    add("--where", nargs="+", default=[], metavar="KEY=VALUE", help="rows to use")
    add("--optimum", type=float, metavar="X", help="of a quantity that rises: eps = X - value")
    add(
        "--floor", type=_floor, default=0.0, metavar="X",
        help="infimum of the loss, subtracted; or `estimate`",
    )  # fmt: skip
    add(
        "--range", nargs=2, type=float, metavar=("LOW", "HIGH"),
        help="range of eps the question is about, stated before looking",
    )  # fmt: skip
    add(
        "--passage", choices=("first", "stay"), default="first",
        help="first step with loss <= eps, or the first from which it stays there",
    )  # fmt: skip
    add(
        "--level", type=_level, default=0.95, metavar="X",
        help="confidence level of the intervals, from 0.5 to below 1; default: 0.95",
    )  # fmt: skip
    add("--at", nargs="+", type=_eps, default=[], metavar="EPS", help="print T(EPS) of every run")
    add("--plot", type=Path, metavar="FILE", help="picture: .png, .pdf or .svg")
    add(
        "--local", action="store_true",
        help="--plot draws local exponents d log T / d log(1/eps): 1 is 1/eps, 0 a logarithm",
    )  # fmt: skip
    add("--json", action="store_true", help="print JSON")
    return options


def _floor(text: str) -> float | str:
    if text == "estimate":
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a number or estimate; got {text!r}") from None


def _level(text: str) -> float:
    from motsim.rates.question import check_level

    return _checked(check_level, text)


def _eps(text: str) -> float:
    from motsim.rates.question import check_eps

    return _checked(check_eps, text)


def _checked(check: Callable[[object], float], text: str) -> float:
    """Return a number that a check lets pass; its one line otherwise."""
    try:
        number: object = float(text)
    except ValueError:
        number = text
    try:
        return check(number)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _told(found: "Rate | Rates", at: Sequence[float]) -> dict[str, Any]:
    """Return what JSON holds: a rate, or notes and a list of groups; with T(eps) if asked for."""
    from motsim.rates.rate import Rate, plain

    told = found.to_dict()
    groups = (
        [(told, found)]
        if isinstance(found, Rate)
        else zip(told["groups"], found.values(), strict=True)
    )
    for one, rate in groups:
        if at:
            one["steps_to"] = plain(rate.steps_to(at).to_dict("index"))
    return told


def _print(found: "Rate | Rates", at: Sequence[float]) -> None:
    """Print one rate in full, or a row a group."""
    from motsim.rates.rate import Rate

    width = shutil.get_terminal_size().columns
    if isinstance(found, Rate):
        _print_rate(found, at, width)
        return
    _print_groups(found, at, width)


def _print_rate(found: "Rate", at: Sequence[float], width: int) -> None:
    from motsim.rates.words import percent

    _say(found.sentence, width)
    print()
    _say(found.data, width)
    for note in (*found.decision.warnings, *found.notes):
        _say(f"- {note}", width, "  ")
    table = found.table()
    if len(table):
        print()
        print(_table(table, percent(found.level), width))
    if len(found.decision.regimes) > 1:
        print("\nregimes, from large eps to small")
        for regime in found.decision.regimes:
            _say(f"  {regime}", width, "    ")
    if found.advice:
        print()
        _say(f"What would decide it: {found.advice}.", width)
    _print_times(found, at)


def _print_groups(found: "Rates", at: Sequence[float], width: int) -> None:
    """Print one row a group, to compare; then each group's answer and what it rests on."""
    from motsim.rates.words import percent

    rows = [["group", "law", f"value [{percent(found.level)}]", "decades", "runs"]]
    for row in found.table().to_dict("records"):
        value = ""
        if row["law"] != "inconclusive":
            value = f"{row['value']:.3g} [{row['low']:.3g}, {row['high']:.3g}] {row['measures']}"
        rows.append([row["group"], row["law"], value, f"{row['decades']:.1f}", str(row["runs"])])
    print("\n".join(_aligned(rows)))
    for name, one in found.items():
        print()
        _say(f"{name}: {one.sentence}", width, "  ")
        for note in (*one.decision.warnings, *(n for n in one.notes if n not in found.notes)):
            _say(f"- {note}", width, "    ", "  ")
        if one.advice:
            _say(f"What would decide it: {one.advice}.", width, "  ", "  ")
        _print_times(one, at)
    print()
    for note in found.notes:
        _say(f"- {note}", width, "  ")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the rows of a table as lines, columns aligned."""
    sizes = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return ["  ".join(c.ljust(n) for c, n in zip(row, sizes, strict=True)).rstrip() for row in rows]


def _print_times(found: "Rate", at: Sequence[float]) -> None:
    if at:
        times = found.steps_to(at)
        times.columns = [f"T({eps:g})" for eps in at]
        print("\nsteps to accuracy ('-': not reached)")
        print(times.map(lambda t: f"{t:.10g}" if t == t else "-").to_string())


def _table(table: Any, level: str, width: int) -> str:
    """Format the table of laws; narrow terminals lose the formula."""

    def row(r: Any) -> list[str]:
        value = ""
        if r["measures"]:
            value = f"{r['value']:.3g} [{r['low']:.3g}, {r['high']:.3g}] {r['measures']}"
        residual = f"{r['residual']:.3f}" if r["residual"] == r["residual"] else "-"
        return [r["law"], value, residual, f"{r['criterion']:.0f}", r["formula"]]

    rows = [["law", f"value [{level}]", "residual", "BIC", "T(eps)"]]
    rows += [row(r) for r in table.to_dict("records")]
    if max(len(line) for line in _aligned(rows)) > width:
        rows = [r[:4] for r in rows]
    return "\n".join([*_aligned(rows), "(residual in decades of eps; BIC above the best law's)"])


def _say(text: str, width: int, indent: str = "", first: str = "") -> None:
    print(textwrap.fill(text, min(width, 100), initial_indent=first, subsequent_indent=indent))


if __name__ == "__main__":
    from motsim.commands.streams import as_process

    raise SystemExit(as_process(main))
