"""The layout of delimited text: what separates cells, which lines are none, what is a number."""

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice

__all__ = [
    "COMMENTS",
    "DECIMAL_COMMA",
    "EMPTY",
    "NAN",
    "Layout",
    "comma_rule",
    "comment_header",
    "is_number",
    "sniff",
]

COMMENTS = ("#", "%")
EMPTY = ["", "NA", "N/A", "n/a", "na", "null", "NULL", "Null", "None", "none", "<NA>", "#N/A"]
NAN = ["nan", "NaN", "NAN", "Nan", "-nan", "-NaN", "+nan"]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.IGNORECASE)
DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?")
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}(,\d{3})+(\.\d*)?")

csv.field_size_limit(max(csv.field_size_limit(), 1 << 27))  # a text column may hold a config


class Layout:
    """How a file separates its cells: `delimiter` ("" for white space) and `decimal` mark."""

    def __init__(self, delimiter: str, decimal: str = "."):
        self.delimiter = delimiter
        self.decimal = decimal

    def split(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
        """Yield (last line, cells) of each record that is neither blank nor a comment."""
        if not self.delimiter:
            for number, line in enumerate(lines, 1):
                if line.strip() and not line.lstrip().startswith(COMMENTS):
                    yield number, _words(line)
            return
        bare = ("\n" if line.startswith(COMMENTS) else line for line in lines)
        reader = csv.reader(bare, delimiter=self.delimiter, skipinitialspace=True)
        for cells in reader:
            if cells and (len(cells) > 1 or cells[0].strip()):
                yield reader.line_num, [cell.strip() for cell in cells]


def _words(line: str) -> list[str]:
    """Return the words of a line; quoted ones may hold blanks."""
    if '"' not in line:
        return line.split()
    return [quoted or plain for quoted, plain in re.findall(r'"([^"]*)"|(\S+)', line)]


def sniff(lines: Sequence[str]) -> Layout:
    """Return the layout under which most lines have the same number of cells, at least two."""
    best, layout = (0.0, 0), Layout(",")
    for delimiter in (",", "\t", ";", ""):
        candidate = Layout(delimiter)
        try:
            counts = [len(cells) for _, cells in islice(candidate.split(iter(lines)), 50)]
        except csv.Error:
            continue
        if not counts or counts[0] < 2:
            continue
        # a header in words separates by blanks too: white space must fit the rows exactly
        score = (sum(count == counts[0] for count in counts) / len(counts), counts[0])
        if score[0] > best[0] + 1e-9:
            best, layout = score, candidate
    if layout.delimiter != ",":
        body = [cells for _, cells in islice(layout.split(iter(lines)), 1, 50)]
        commas = [cell for cells in body for cell in cells if DECIMAL_COMMA.fullmatch(cell)]
        if commas:
            layout.decimal = ","
    return layout


def is_number(text: str, decimal: str = ".") -> bool:
    """Tell whether a cell holds a number, nan or inf."""
    return NUMBER.fullmatch(text.replace(",", ".") if decimal == "," else text) is not None


def comma_rule(text: str) -> str:
    """Return what to do about a number with a comma in it; "" for any other text.

    >>> comma_rule("1,5")
    'write 1.5'
    """
    plain = text.replace(",", "")
    if THOUSANDS.fullmatch(text):
        if not DECIMAL_COMMA.fullmatch(text):
            return f"write {plain}: thousands are not separated"
        return f"write {text.replace(',', '.')} if the comma is a decimal one, else {plain}"
    if DECIMAL_COMMA.fullmatch(text):
        return f"write {text.replace(',', '.')}"
    return ""


def comment_header(lines: Sequence[str], layout: Layout, count: int) -> list[str]:
    """Return names from the last comment above the numbers, if there are as many as columns."""
    comments = [line.strip() for line in lines if line.startswith(COMMENTS)]
    if not comments:
        return []
    line = comments[-1].lstrip("#% ")
    for candidate in (layout, Layout("")):
        for _, cells in candidate.split(iter([line])):
            if len(cells) == count and len(set(cells)) == count and not any(map(is_number, cells)):
                return cells
    return []
