"""Print a table for a paper (verdicts, hitting times, medians), or write all of one as Parquet."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motsim.checks import nearest
from motsim.commands.parser import CommandParser, folder_name

if TYPE_CHECKING:
    from motsim.results.tables import Tables

__all__ = ["latex", "main", "parser"]

PROGRAM = "motsim table"
EPILOG = """\
examples:
  motsim table rates --latex > rates.tex       the verdicts, for \\usepackage{booktabs}
  motsim table rates --steps                   median steps T(eps) instead
  motsim table coverage --columns covered_classes final_loss     medians of results
  motsim table rates --parquet                 rates.parquet and its other tables beside the CSV

Exit codes: 0 printed, 2 there is no such table, or nothing of this in it.
"""
#: What TeX reads as a command, and letters that its fonts may lack.
ESCAPED = str.maketrans({
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"$<$", ">": r"$>$", "|": r"$|$", "≤": r"$\le$", "≥": r"$\ge$", "ε": r"$\varepsilon$",
    "η": r"$\eta$", "ρ": r"$\rho$", "σ": r"$\sigma$", "γ": r"$\gamma$", "τ": r"$\tau$",
    "±": r"$\pm$", "×": r"$\times$", "−": r"$-$", "∞": r"$\infty$", "√": r"$\surd$",
    "²": r"$^2$", "³": r"$^3$", "∝": r"$\propto$", "→": r"$\to$", "·": r"$\cdot$",
})  # fmt: skip


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog=PROGRAM,
        description="Print a table: verdicts of a claim, else median steps to accuracy.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("name", metavar="NAME", help="of a table in the results folder")
    options.add_argument("--latex", action="store_true", help="as LaTeX, with booktabs")
    what = options.add_mutually_exclusive_group()
    what.add_argument("--steps", action="store_true", help="median T(eps) of each setting")
    what.add_argument("--parquet", action="store_true", help="write it as Parquet, types kept")
    what.add_argument("--columns", nargs="+", metavar="RESULT", help="medians of these results")
    options.add_argument("--out", type=folder_name, default=Path("results"), metavar="DIR")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(argv)
    if arguments.parquet and arguments.latex:
        parser().error("--parquet writes files and --latex prints one table: give one of them")
    from motsim.extras import MissingExtraError
    from motsim.printing import one_line, printed
    from motsim.results.parquet import write_parquet
    from motsim.results.tables import TablesError, load_tables, stored_names

    folder: Path = arguments.out
    try:
        name = arguments.name.removesuffix(".gz").removesuffix(".csv")
        stored = stored_names(folder)
        if stored and name not in stored:
            raise TablesError(f"{folder}: no table {name!r}{nearest(name, stored)}")
        tables = load_tables(name, folder)
        if arguments.parquet:
            rows = [[str(path)] for path in write_parquet(tables, folder)]
        else:
            rows = _rows(tables, folder, arguments)
    except (MissingExtraError, ValueError, TypeError, ArithmeticError, OSError) as error:
        print(one_line(f"{PROGRAM}: {error}"), file=sys.stderr)
        return 2
    with printed():
        if arguments.latex and not arguments.parquet:
            print(f"% {tables.call}; \\usepackage{{booktabs}}")
            print(latex(rows))
        else:
            sizes = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
            for row in rows:
                print("  ".join(c.ljust(n) for c, n in zip(row, sizes, strict=True)).rstrip())
    return 0


def _rows(tables: "Tables", folder: Path, asked: argparse.Namespace) -> list[list[str]]:
    """Header and rows, as text."""
    from motsim.claims._stored import claim_of_tables
    from motsim.commands.summary import FLOW, median_steps
    from motsim.results.tables import TablesError

    if asked.columns:
        return _medians(tables, asked.columns)
    claim = None if asked.steps else claim_of_tables(tables.name, tables.meta, folder)
    if claim is not None:
        findings = claim.judge(tables)
        head = ["case", "predicted", "measured", "verdict"]
        return [head, *([f.case, f.predicted, f.measured, f.verdict] for f in findings)]
    steps = median_steps(tables)
    if steps is None:
        raise TablesError(f"{tables.name} has no claim and no T(eps); name results with --columns")
    flat = steps.reset_index()
    if FLOW in flat:  # in words: a table for a paper has no line that explains a mark
        flat[FLOW] = flat[FLOW].map({FLOW: "flow", "": "descent"})
        flat = flat.rename(columns={FLOW: "dynamics"})
    return [
        [str(name) for name in flat.columns],
        *([str(v) for v in row] for row in flat.to_numpy()),
    ]


def _medians(tables: "Tables", columns: Sequence[str]) -> list[list[str]]:
    from motsim.commands.summary import label_text
    from motsim.results.tables import TablesError

    runs = tables.runs
    numbers = runs.select_dtypes("number")
    for column in columns:
        if column not in numbers:
            choices = [str(name) for name in numbers]
            raise TablesError(f"no result {column!r} in {tables.name}{nearest(column, choices)}")
    axes = [label for label in tables.labels if label != "seed"]
    groups = runs.groupby(axes, dropna=False, sort=False) if axes else [((), runs)]
    rows = [[*axes, *(f"median {column}" for column in columns), "runs"]]
    for values, part in groups:
        medians = [f"{part[column].median():.4g}" for column in columns]
        rows.append([*map(label_text, values), *medians, str(len(part))])
    return rows


def latex(rows: Sequence[Sequence[str]]) -> str:
    r"""Return rows, the first the header, as a tabular with the lines of booktabs.

    >>> print(latex([["case", "loss"], ["a_b", "5 %"]]))
    \begin{tabular}{ll}
    \toprule
    case & loss \\
    \midrule
    a\_b & 5 \% \\
    \bottomrule
    \end{tabular}
    """
    head, *body = (" & ".join(cell.translate(ESCAPED) for cell in row) + r" \\" for row in rows)
    top = rf"\begin{{tabular}}{{{'l' * len(rows[0])}}}"
    return "\n".join([top, r"\toprule", head, r"\midrule", *body, r"\bottomrule", r"\end{tabular}"])
