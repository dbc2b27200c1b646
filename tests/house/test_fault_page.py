"""docs/faults.md: every fault of the suite stands there, and every test that it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "faults.md"
NUMBER = re.compile(r"\bF(\d+)\b|\btest_f(\d+)_")


def numbers(text):
    """Numbers of faults, as in F7 or test_f7_."""
    return {int(one or other) for one, other in NUMBER.findall(text)}


def suite():
    """Numbers that a test records, or has in its name."""
    found = set()
    for path in ROOT.glob("tests/**/test_*.py"):
        if path != Path(__file__):
            text = path.read_text(encoding="utf-8")
            found |= numbers(" ".join(re.findall(r"def test_f\d+_|record\(\"F\d+", text)))
    return found


def rows(page):
    """(fault, promises, tests) of each row of the table."""
    table = page.partition("## Tested")[2]
    lines = [line for line in table.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in line.strip("|").split("|")][:3] for line in lines]


def wrong(page):
    """What does not fit, a line each."""
    found = [f"F{n} is not in the table" for n in sorted(suite() - numbers(page))]
    promised = set(re.findall(r"^(\d)\. \*\*", page, re.MULTILINE))
    kept = set()
    for fault, promises, tests in rows(page):
        names = re.findall(r"`([^`]+)`", tests)
        paths = [name for name in names if "/" in name]
        kept |= set(promises.split(", "))
        found += [f"{name} does not exist" for name in paths if not (ROOT / name).is_file()]
        text = "".join((ROOT / name).read_text() for name in paths if (ROOT / name).is_file())
        found += [
            f"{name} is not in {paths}"
            for name in names if "/" not in name and f"def {name}(" not in text
        ]  # fmt: skip
        found += [f"F{n} is not tested in {paths}" for n in sorted(numbers(fault) - numbers(text))]
        found += [] if paths else [f"{fault}: no test"]
    found += [f"promise {n} has no test" for n in sorted(promised - kept)]
    return found + [f"there is no promise {n}" for n in sorted(kept - promised - {"none"})]


def test_the_page_and_the_suite_agree():
    assert len(suite()) >= 25
    assert wrong(PAGE.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("| F8 two", "| two", ["F8 is not in the table"]),
        ("faults/test_export.py", "faults/" + "test_exports.py",
         ["tests/faults/" + "test_exports.py does not exist", "F25 is not tested in"]),
        ("recognized` |", "known` |", ["test_network_file_systems_are_known is not in"]),
        ("| F9 dead", "| F99 dead", ["F9 is not in the table", "F99 is not tested in"]),
        ("\n7. **", "\n9. **", ["promise 9 has no test", "there is no promise 7"]),
    ],
)  # fmt: skip
def test_control_what_does_not_fit_is_seen(old, new, said):
    page = PAGE.read_text(encoding="utf-8")
    assert old in page
    lines = wrong(page.replace(old, new))
    assert [line.startswith(start) for line, start in zip(lines, said, strict=True)], lines
