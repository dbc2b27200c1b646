"""Say what a word, a symbol or the name of a claim means."""

import argparse
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence

from motsim.checks import nearest
from motsim.commands.parser import CommandParser

__all__ = ["main", "parser"]

PROGRAM = "motsim explain"
EPILOG = """\
examples:
  motsim explain specialize
  motsim explain "T(eps)"
  motsim explain rate-mot        a claim: statement, source, prediction
  motsim explain                 all words

Exit codes: 0 explained, 2 there is no such word.
"""


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = CommandParser(
        prog=PROGRAM,
        description="Say what a word, a symbol or the name of a claim means.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    options.add_argument("words", nargs="*", metavar="WORD", help="default: list all words")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    from motsim.commands.glossary import glossary

    words = parser().parse_args(argv).words
    if not words:
        topic = ""
        for entry in glossary():
            if entry.topic != topic:
                topic = entry.topic
                print(f"{topic}:")
            print(f"  {', '.join(entry.names)}")
        return 0
    from motsim.printing import one_line

    try:
        # a word may have blanks: all of them together first, then each
        found = list(_explained(" ".join(words)))
        if not found:
            found = [line for word in words for line in _explained(word) or [_unknown(word)]]
    except LookupError as error:
        print(one_line(f"{PROGRAM}: {error.args[0]}"), file=sys.stderr)
        return 2
    for line in found:
        print(line)
    return 0


def _explained(word: str) -> list[str]:
    """Lines on a word; empty if there is none."""
    from motsim.commands.glossary import find

    lines: list[str] = []
    for entry in find(word):
        lines += _filled(f"{', '.join(entry.names)}: {entry.means.replace('*', '')}")
        if entry.retired:
            lines += _filled(f"not called: {', '.join(entry.retired)}", "  ")
    return [*lines, *_of_claim(word)]


def _of_claim(name: str) -> Iterator[str]:
    """Yield lines on a claim, if it is one."""
    from motsim.claims import claim_module, claim_names
    from motsim.claims._reproduced import known, told

    if name not in claim_names():
        return
    claim = claim_module(name).CLAIM
    yield from _filled(f"claim {name}: {claim.statement}")
    yield from _filled(f"source: {claim.source} ({claim.origin}; {claim.kind})", "  ")
    yield from _filled(f"prediction: {claim.prediction}", "  ")
    if fresh := told(known(name)):
        yield from _filled(f"reproduced: {fresh}", "  ")
    yield f"  check it: python -m motsim.verify {name}"


def _unknown(word: str) -> str:
    from motsim.claims import claim_names
    from motsim.commands.glossary import glossary

    names = [name for entry in glossary() for name in entry.names]
    raise LookupError(f"no word {word!r}{nearest(word, [*names, *claim_names()])}")


def _filled(text: str, indent: str = "") -> list[str]:
    width = min(shutil.get_terminal_size().columns, 100)
    return textwrap.wrap(
        text, width, initial_indent=indent, subsequent_indent=f"{indent}  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
