"""Imports go one way: CONTRIBUTING.md lists the rooms, the imports are held against it."""

import ast
import re
from pathlib import Path

import motsim

PACKAGE = Path(motsim.__file__).parent
GUIDE = PACKAGE.parent / "CONTRIBUTING.md"
MOST_LOOSE = 10


def rooms():
    """Names of the rooms and of loose modules, each with its height: 0 is the top."""
    text = GUIDE.read_text()
    text = text[text.index("## Where things are") : text.index("## Add a claim")]
    found = {}
    for height, line in enumerate(re.findall(r"^    motsim/(.*)", text, re.MULTILINE)):
        for name in re.split(r",\s+", line.split("  ")[0]):
            found[name.strip().removesuffix(".py").removesuffix("/").replace("/", ".")] = height
    return found


def room_of(module, known):
    """A loose module that the guide names stands for itself: `rates.__main__` is a command."""
    return module if module in known else module.partition(".")[0]


def modules():
    # rglob does not follow links, such as motsim/figures
    for path in (*PACKAGE.rglob("*.py"), *(PACKAGE / "figures").glob("*.py")):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        yield name.removesuffix(".__init__"), path.read_text()


def imported(text, known):
    """Modules of motsim that a text imports, wherever in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("motsim."):
            home = node.module.removeprefix("motsim.")
            yield home
            yield from (
                f"{home}.{alias.name}" for alias in node.names if f"{home}.{alias.name}" in known
            )
        elif isinstance(node, ast.ImportFrom) and node.module == "motsim":
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.startswith("motsim.")]
            yield from (name.removeprefix("motsim.") for name in names)


def upwards(sources, known):
    """Imports of a room by one below it."""
    return [
        f"{name} -> {other}"
        for name, text in sources
        if name != "__init__"
        for other in imported(text, known)
        if known[room_of(other, known)] < known[room_of(name, known)]
    ]


def test_no_module_imports_from_a_room_above_it():
    assert upwards(modules(), rooms()) == []


def test_an_import_upwards_is_seen():
    """The control, inside a function as well."""
    text = "def late():\n    from motsim.claims import load_claim\n"
    assert upwards([("results.store", text)], rooms()) == ["results.store -> claims"]
    assert upwards([("running.judging", text)], rooms()) == []


def test_the_guide_names_every_room_and_nothing_else():
    there = {path.stem for path in PACKAGE.iterdir() if not path.name.startswith(("_", "py.typed"))}
    known = rooms()
    assert there == {name.partition(".")[0] for name in known} - {"__main__"}
    for name in known:
        place = PACKAGE.joinpath(*name.split("."))
        assert place.is_dir() or place.with_suffix(".py").is_file()


SHORT = re.compile(r"^\s*(?:from figures\b|import figures\b)", re.MULTILINE)


def test_figures_have_one_name():
    """By their short name, which a clone has, they would be loaded twice."""
    for part in ("motsim", "figures", "tests", "docs", "examples"):
        for path in (PACKAGE.parent / part).rglob("*.py"):
            assert not SHORT.search(path.read_text()), path
    assert SHORT.search("def late():\n    from figures import style\n")  # control


def test_few_modules_lie_loose():
    assert len(list(PACKAGE.glob("[!_]*.py"))) <= MOST_LOOSE
