"""One spelling: American, in names, columns and prose; what is retired does not come back."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLACES = (
    "motsim",
    "figures",
    "sweeps",
    "docs",
    "examples",
    "findings",
    "README.md",
    "CONTRIBUTING.md",
)
ENDINGS = {".py", ".toml", ".md", ".html", ".css", ".js", ".csv"}
#: Columns of other people's files, as they spell them.
FOREIGN = {"motsim/rates/reading/names.py"}
RETIRED = re.compile(
    r"(special|normal|general|initial|maxim|minim|parameter|penal|recogn|random|regular|vector"
    r"|linear|equal)is(?=e|ing|ation)|optimis(?=e|ing|ation)|centre|centred|(?<!aria-)labelled(?!by)"
    r"|colour|neighbour|favour|behaviour|licence|catalogue|\bgrey|project\s+card",
    re.IGNORECASE,
)


#: Names of variables that could be anything: each says what it is (an index, an offset, a path).
VAGUE = {"place", "places"}
#: The same where there are weights of attention, of the FFN and of points, and buffers.
IN_TRAINING = {*VAGUE, "weights", "room"}
TRAINING = ("motsim/mixture/", "motsim/minibatch/", "motsim/experiments/mixture/")


def files():
    for name in PLACES:
        place = ROOT / name
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if path.suffix in ENDINGS and path.relative_to(ROOT).as_posix() not in FOREIGN:
                yield path


def retired(text):
    return [found[0] for found in RETIRED.finditer(text)]


def test_no_retired_spelling():
    found = {
        path.relative_to(ROOT).as_posix(): retired(path.read_text(encoding="utf-8"))
        for path in files()
    }
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("specialise_rate", ["specialis"]),
        ("Normalisation of the colour", ["Normalis", "colour"]),
        ("generalises at the centre", ["generalis", "centre"]),
        ("specialist, optimism, minimize, general issue", []),  # none is British
        ("as the project\ncard has it", ["project\ncard"]),
        ('aria-labelledby="x"', []),
    ],
)
def test_a_retired_spelling_is_seen(text, words):
    """The control."""
    assert retired(text) == words


def vague(text, names=frozenset(VAGUE)):
    """Arguments and variables of functions under a name that could be anything."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for inner in ast.walk(node):
                if isinstance(inner, ast.arg) and inner.arg in names:
                    yield inner.arg
                if isinstance(inner, ast.Name) and inner.id in names:
                    yield inner.id


def test_no_vague_name():
    found = {}
    for path in files():
        name = path.relative_to(ROOT).as_posix()
        if path.suffix == ".py" and not name.startswith("motsim/claims/"):
            names = IN_TRAINING if name.startswith(TRAINING) else VAGUE
            found[name] = sorted(set(vague(path.read_text(encoding="utf-8"), names)))
    assert {name: words for name, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def first(place): return place", ["place", "place"]),
        ("def first(rows):\n    for place, row in enumerate(rows): yield row", ["place"]),
        ("def all(rows): return [x for places in rows for x in places]", ["places", "places"]),
        ("class Owner:\n    place: str\n    def put(self): self.place = 1", []),  # a defined word
        ("def i(rows): return rows.index('place')", []),
    ],
)
def test_a_vague_name_is_seen(text, words):
    """The control."""
    assert list(vague(text)) == words


def test_weights_of_what_is_asked_in_training():
    """The control."""
    text = "def mean(points, weights): return weights @ points"
    assert list(vague(text)) == []
    assert list(vague(text, IN_TRAINING)) == ["weights", "weights"]
    assert list(vague("def mean(points): return points.weights.sum()", IN_TRAINING)) == []
