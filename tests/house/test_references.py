"""What texts refer to is there: files, links, sections (§), modules, options, names."""

import importlib
import re
from functools import cache
from pathlib import Path

import pytest

import motsim
from motsim.claims import claim_names
from motsim.commands.names import COMMANDS
from motsim.plans.loading import sweep_names
from tests.house.doc_calls import broken_blocks, broken_spans

ROOT = Path(motsim.__file__).parents[1]
PAGES = [
    ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "examples" / "README.md", ROOT / "findings" / "README.md",
    ROOT / "tests" / "faults" / "README.md", ROOT / "tests" / "benchmarks" / "README.md",
]  # fmt: skip
CODE = [
    path
    for part in ("motsim", "figures", "sweeps", "tests", "docs")
    for path in sorted((ROOT / part).rglob("*"))
    if path.suffix in (".py", ".toml") and path.name not in ("test_references.py", "test_words.py")
]
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
NAMED = re.compile(
    r"(?<![\w/.-])((?:motsim|figures|sweeps|tests|docs|examples|findings)(?:/[\w.-]+)+"
    r"\.(?:py|md|toml|csv|txt|sh))\b"
)
SECTION = re.compile(r"(?:(\w+)\.md(?:\]\([^)]*\))?`? )?§ ?(\d+(?:\.\d+)?)")
COMMAND = re.compile(
    r"(?<![\w./-])(?:python -m (motsim(?:\.\w+)*|figures)|motsim)((?: [^\s`|#]+)+)"
)
#: Pages whose § are those of another page.
SYMBOLS_OF = {"reductions": "theory"}
#: Files that a reader writes, by the text that tells it.
OF_THE_READER = {
    "CONTRIBUTING.md": {
        "sweeps/my-claim.toml", "motsim/claims/my_claim.py", "figures/my_claim.py",
        "tests/claims/test_my_claim.py",
    },
    "docs/rate-in-ci.md": {"tests/test_rates.py"},
    "tests/testing/test_assertion.py": {"tests/test_a.py"},
    "tests/testing/test_pages.py": {"tests/test_rates.py"},
    "tests/commands/test_new.py": {"tests/test_descent.py"},
    "motsim/testing/evidence.py": {"tests/test_rate.py"},
    "motsim/commands/new.py": {"tests/descent_checks.txt", "tests/test_descent.py"},
}  # fmt: skip


def anchors(path):
    """Anchors of a page's headings."""
    heads = re.findall(r"^#+ (.*)", FENCED.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(text, folder):
    for target in LINK.findall(FENCED.sub("", text)):
        if target.startswith(("https:", "mailto:")):
            continue
        file, _, anchor = target.partition("#")
        path = folder / file if file else None
        if (path and not path.exists()) or (anchor and path and anchor not in anchors(path)):
            yield target


@cache
def sections(page):
    """Numbers of the sections of a page."""
    text = (ROOT / "docs" / f"{page}.md").read_text("utf-8")
    return set(re.findall(r"^#+ (\d+(?:\.\d+)?)\.? ", text, re.MULTILINE))


def broken_sections(text, page=None):
    """Sections that are not there; one without a page is of the page last named, or of this one."""
    last = SYMBOLS_OF.get(page, page)
    for found in SECTION.finditer(text):
        if page is None:
            before = re.findall(r"docs/(\w+)\.md", text[: found.start()])
            last = before[-1] if before else last
        where = found[1] or last
        if where is None or found[2] not in sections(where):
            yield found[0]


def broken_files(text, place=""):
    named = set(NAMED.findall(text)) - OF_THE_READER.get(place, set())
    return sorted(name for name in named if not (ROOT / name).exists())


@cache
def options(module):
    """Options of a command; None where it is no command of motsim's with a parser."""
    home = importlib.import_module(module)
    if not hasattr(home, "parser"):
        return None
    return {word for action in home.parser()._actions for word in action.option_strings}


def broken_commands(text):
    for found in COMMAND.finditer(text):
        module, words = found[1], found[2].split()
        if words[0] == "import" or words[0].isupper():
            continue
        if module in (None, "motsim"):
            if words[0].startswith("-") or words[0] not in COMMANDS:
                if module or (re.fullmatch(r"[a-z]+", words[0]) and found[0] in spans(text)):
                    yield found[0]
                continue
            module, words = COMMANDS[words[0]][0], words[1:]
        elif module != "figures" and module.removeprefix("motsim.") not in (
            *COMMANDS, *(home.removeprefix("motsim.") for home, _ in COMMANDS.values()),
        ):  # fmt: skip
            yield found[0]
            continue
        module = next((home for name, (home, _) in COMMANDS.items()
                       if module in (name, f"motsim.{name}", home)), module)  # fmt: skip
        known = options(module)
        for word in words:
            option = re.match(r"--[a-z][\w-]*", word)
            if option and known is not None and option[0] not in known:
                yield f"{found[0]}: {option[0]}"
        if module in ("motsim.sweep", "motsim.verify") and words:
            name = words[0].strip("\"'.,;:)")
            if re.fullmatch(r"[a-z]+(?:-[a-z]+)*", name) and name not in KNOWN:
                yield f"{found[0]}: {name}"


def spans(text):
    """Spans and blocks of code, as one text."""
    return "\n".join([*re.findall(r"`([^`\n]+)`", text), *FENCED.findall(text)])


KNOWN = {*claim_names(), *sweep_names(), "and", "in", "is", "of", "for", "gives", "makes", "says"}


def names(path):
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_somewhere(page):
    assert list(broken_links(page.read_text("utf-8"), page.parent)) == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_sections_files_and_commands_of_a_page_are_there(page):
    text = page.read_text("utf-8")
    own = page.stem if page.parent.name == "docs" else None
    assert list(broken_sections(text, own)) == []
    assert broken_files(text, names(page)) == []
    if page.name != "own-claims.md":  # its sweeps are the reader's
        assert list(broken_commands(text)) == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_calls_in_pages_have_the_parameters_they_are_given(page):
    text = page.read_text("utf-8")
    assert [*broken_spans(text), *broken_blocks(text)] == []


def test_calls_that_do_not_fit_are_seen():
    """The controls."""
    spans = "`expected_errors(..., memory='fresh')` `Model('mot', experts=3)` `nothing(1)` `T(eps)`"
    assert len(list(broken_spans(spans))) == 3
    assert list(broken_spans("`Model('mot', num_experts=3)`, `Settings(preset=..., seed=1)`")) == []
    block = "```python\nfrom motsim import Model, Modell\nimport motsim\n{}\n```"
    assert list(broken_blocks(block.format("Model('mot', 3)"))) == ["motsim.Modell"]
    assert len(list(broken_blocks(block.format("Model('mot', M=3)")))) == 2
    assert len(list(broken_blocks(block.format("motsim.sweeep('rates')")))) == 2


def test_sections_files_and_commands_of_code_are_there():
    broken = {}
    for path in CODE:
        text = path.read_text("utf-8")
        found = [*broken_sections(text), *broken_files(text, names(path))]
        if path.parts[len(ROOT.parts)] in ("motsim", "figures"):
            found += broken_commands(text)
        if found:
            broken[names(path)] = found
    assert broken == {}


def test_references_that_lead_nowhere_are_seen():
    """The controls."""
    folder = ROOT / "docs"
    assert list(broken_links("[a](theory.md), [b](none.md)", folder)) == ["none.md"]
    assert list(broken_links("[a](theory.md#none)", folder)) == ["theory.md#none"]
    assert list(broken_sections("docs/theory.md §6.2, docs/theory.md §99")) == ["theory.md §99"]
    assert list(broken_sections("derived in §3")) == ["§3"]  # of which page?
    assert list(broken_sections("see §3 and §98", "reductions")) == ["§98"]
    assert broken_files("tests/none.py and tests/conftest.py") == ["tests/none.py"]
    wrong = "`python -m motsim.swep rates` `python -m motsim.sweep rats` `motsim sweep --teir x`"
    assert len(list(broken_commands(wrong))) == 3
    assert list(broken_commands("`motsim frobnicate x`")) == ["motsim frobnicate x"]
    assert list(broken_commands("`motsim sweep rates --tier full`; motsim checks claims")) == []
