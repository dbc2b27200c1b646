"""The grammar of kernels: names that are retired, and at most six arguments."""

import ast
import re

import pytest

from motsim.vectors.compiling import PACKAGE, SOURCES
from tests.interpreted.lines import is_kernel

MOST = 6
FILES = [path for place in SOURCES for path in sorted(PACKAGE.glob(place))]
#: Name that says too little -> what is said in its place.
RETIRED = {
    "splat": "broadcast", "total": "reduce_add", "where_greater": "select_greater",
    "number": "load_scalar", "put": "store_scalar", "spread": "load_broadcast",
    "Workspace": "Buffers", "Work": "Buffers", "workspace": "buffers_of", "Weights": "Parameters",
    "Scratch": "BufferPtrs", "scratch": "buffers",
}  # fmt: skip
#: The same for names of arguments, in the kernels of mixtures and of mini-batches.
ARGUMENTS = {
    "work": "buffers or buffer_ptrs",
    "weights": "parameters, ffn, attention_probs or point_weights",
    "members": "batch", "i": "i_*", "n": "num_*",
}  # fmt: skip
#: The same for fields of bundles.
FIELDS = {"weights": "ffn, attention_probs or point_weights", "work": "buffers"}
#: Folders in which `ARGUMENTS` and `FIELDS` are held.
NAMED = ("mixture/kernels/", "minibatch/")
#: The same for every name in a file of kernels: variables, arguments, fields, functions.
EVERYWHERE = {
    "place": "*_at, *_ptr or i_*", "places": "*_ptrs or i_*", "same_place": "same_address",
    "room": "buffer", "weights": "ffn, attention_probs, point_weights, or w",
}  # fmt: skip


def kernels(text):
    tree = ast.parse(text)
    return [node for node in tree.body if isinstance(node, ast.FunctionDef) and is_kernel(node)]


def with_more(text):
    """Kernels of more than six arguments, and how many."""
    counts = {node.name: len(node.args.args) for node in kernels(text)}
    return {name: count for name, count in counts.items() if count > MOST}


def retired(text, names):
    """Arguments of kernels, and functions that they call, under a retired name."""
    for node in kernels(text):
        yield from (a.arg for a in node.args.args if a.arg in names)
        for call in ast.walk(node):
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name):
                yield from (name for name in [call.func.id] if name in names)


def fields(text, names):
    """Fields of named tuples under a retired name."""
    for node in ast.parse(text).body:
        if isinstance(node, ast.ClassDef) and "NamedTuple" in map(ast.unparse, node.bases):
            of = [part.target.id for part in node.body if isinstance(part, ast.AnnAssign)]
            yield from (name for name in of if name in names)


def names_in(text):
    """Every name that a file gives or uses, but for those of modules."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def test_kernels_take_at_most_six_arguments():
    found = {name_of(path): with_more(path.read_text("utf-8")) for path in FILES}
    assert {name: more for name, more in found.items() if more} == {}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_retired_name(path):
    names = {**RETIRED, **(ARGUMENTS if name_of(path).startswith(NAMED) else {})}
    text = path.read_text("utf-8")
    assert list(retired(text, names)) == []
    assert [name for name in names_in(text) if name in EVERYWHERE] == []
    if name_of(path).startswith(NAMED):
        assert list(fields(text, {**RETIRED, **FIELDS})) == []


def test_what_breaks_the_grammar_is_seen():
    """The controls."""
    head = "@inlined\ndef of_seven(a, b, c, d, e, f, g): pass\n"
    assert with_more(head) == {"of_seven": 7}
    assert with_more(re.sub("@inlined\n", "", head)) == {}  # no kernel
    assert with_more(head.replace(", g", "")) == {}
    text = "@internal\ndef sums(work, out): put(out, 0, total(load(work, 0)))\n"
    assert sorted(retired(text, {**RETIRED, **ARGUMENTS})) == ["put", "total", "work"]
    assert list(retired("@internal\ndef sums(out): total = 0.0\n", RETIRED)) == []
    text = "class Some(NamedTuple):\n    weights: Any\n    ffn: Any\n"
    assert list(fields(text, FIELDS)) == ["weights"]
    assert list(fields(text.replace("NamedTuple", "Other"), FIELDS)) == []


@pytest.mark.parametrize(
    "line",
    [
        "place = i * WIDTH",
        "for place in range(8): pass",
        "def load(place, offset): pass",
        "def same_place(a, b): pass",
        "slope = batch.weights[0]",
        "move(points, weights=1.0)",
        "class Batch(NamedTuple):\n    weights: Any",
        "rows, places = two(row, span)",
        "direction, half = room, advance(room, size)",
    ],
)
def test_a_name_that_is_retired_everywhere_is_seen(line):
    """The controls."""
    assert set(names_in(line)) & set(EVERYWHERE)
    assert not set(names_in(re.sub("places?|room|weights", "this_one", line))) & set(EVERYWHERE)
