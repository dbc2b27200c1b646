"""Where an enum says how a run ended or what was found of a claim, no literal does."""

import ast
import re
from pathlib import Path

import pytest

import motsim
from motsim.mixture.status import Status
from motsim.statistics.interval import Verdict

PACKAGE = Path(motsim.__file__).parent
#: The status of another program; words of sweep files, read in a room below that of verdicts;
#: and what users are given to compare, in words.
FOREIGN = {"running/dask_backend.py", "plans/claim_table.py", "printing.py", "testing"}
NAMED = re.compile(r"\b(status|verdict|word)(\"\]|'\])?$")


def _words(node, enum):
    return [n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and n.value in enum]


def _named(node):
    return bool(NAMED.search(ast.unparse(node)))


def literals(text):
    """Lines on which a word of an enum is compared with, given to, or listed for what it says."""
    words, tree = {*Status, *Verdict}, ast.parse(text)
    types = {
        id(node.slice) for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal"
    }  # fmt: skip
    for node in ast.walk(tree):
        found = []
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(_named(side) for side in sides):
                found = [w for side in sides if not _named(side) for w in _words(side, words)]
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Attribute) and node.func.attr == "isin":
                found = _words(node, words) if _named(node.func.value) else []
            elif isinstance(node.func, ast.Name) and node.func.id == "Result":
                found = _words(node.args[0], words) if node.args else []
        elif isinstance(node, ast.Assign) and any(_named(target) for target in node.targets):
            found = _words(node.value, words) if isinstance(node.value, ast.Constant) else []
        elif isinstance(node, ast.Tuple | ast.List | ast.Dict):
            listed = node.keys if isinstance(node, ast.Dict) else node.elts
            own = {n.value for n in listed if isinstance(n, ast.Constant)}
            found = sorted(own) if own >= set(Verdict) and id(node) not in types else []
        if found:
            yield node.lineno


def test_no_literal_where_there_is_an_enum():
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        if name not in FOREIGN and name.split("/")[0] not in FOREIGN:
            found[name] = sorted(set(literals(path.read_text("utf-8"))))
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ('rows["status"] == "diverged"', True),
        ('status != "done"', True),
        ('finding.verdict in ("holds", "fails")', True),
        ('rows["status"].isin(["error"])', True),
        ('Result("worker_died", {})', True),
        ('verdict = "holds"', True),
        ('words = {"holds": 1, "fails": 2, "inconclusive": 3}', True),
        ('rows["status"] == Status.DIVERGED', False),
        ('decision.law == "inconclusive"', False),  # a law
        ('event == "error"', False),
        ('kind: Literal["holds", "fails", "inconclusive"]', False),
        ('status == "started"', False),
    ],
)
def test_a_literal_is_seen(text, seen):
    """The controls."""
    assert bool(list(literals(text))) == seen
