"""The grammar of kernels: names that are retired, and at most six arguments."""

import ast
import re

import pytest
from interpreted.lines import is_kernel

from motsim.vectors.compiling import PACKAGE, SOURCES

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
#: The same for fields of bundles of mini-batches. `Batch.weights` of mixtures are the points'.
FIELDS = {"weights": "attention_probs", "place": "i_*", "work": "buffers"}
#: Places in which `ARGUMENTS` are held.
NAMED = ("mixture/kernels/", "minibatch/")


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


def name_of(path):
    return path.relative_to(PACKAGE).as_posix()


def test_kernels_take_at_most_six_arguments():
    found = {name_of(path): with_more(path.read_text("utf-8")) for path in FILES}
    assert {name: more for name, more in found.items() if more} == {}


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_no_retired_name(path):
    names = {**RETIRED, **(ARGUMENTS if name_of(path).startswith(NAMED) else {})}
    assert list(retired(path.read_text("utf-8"), names)) == []
    if name_of(path).startswith("minibatch/"):
        assert list(fields(path.read_text("utf-8"), {**RETIRED, **FIELDS})) == []


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
