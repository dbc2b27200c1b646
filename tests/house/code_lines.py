"""Count lines of code: ``python tests/house/code_lines.py FILES``; no comment, docstring or blank.

A line of a TOML file counts if it is neither blank nor a comment.
"""

import ast
import io
import sys
import tokenize
from collections.abc import Sequence
from pathlib import Path

SILENT = {
    tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT,
    tokenize.ENDMARKER,
}  # fmt: skip


def code_lines(path: Path) -> int:
    """Return the number of lines of a Python or TOML file that say something to a machine."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".py":
        return sum(bool(line.strip()) and not line.strip().startswith("#")
                   for line in text.splitlines())  # fmt: skip
    told: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            told |= set(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT:
            lines |= set(range(token.start[0], token.end[0] + 1))
    return len(lines - told)


def main(names: Sequence[str]) -> None:
    """Print the count of each file, and of all."""
    counts = [(name, code_lines(Path(name))) for name in names]
    for name, count in [*counts, ("all", sum(count for _, count in counts))]:
        sys.stdout.write(f"{count:5}  {name}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
