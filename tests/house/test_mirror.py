"""Tests mirror the package: a folder of tests is a room, few modules lie loose."""

from pathlib import Path

import motsim

PACKAGE = Path(motsim.__file__).parent
TESTS = Path(__file__).parents[1]
#: Folders of tests that are about no room, and what they are about.
OTHERS = {
    "faults": "the damage that motsim must survive",
    "house": "texts, rooms, packaging: what lies around the package",
    "interpreted": "the kernels of all rooms, without compilation",
}
MOST_LOOSE = 3


def is_room(folder):
    return folder != "." and (PACKAGE / folder / "__init__.py").is_file()


def strays(tests):
    """Folders that hold tests and are neither a room of the package nor among the others."""
    folders = {path.parent.relative_to(tests).as_posix() for path in tests.rglob("test_*.py")}
    return sorted(folder for folder in folders if folder not in OTHERS and not is_room(folder))


def test_a_folder_of_tests_is_a_room():
    assert strays(TESTS) == []
    assert [name for name in OTHERS if not list((TESTS / name).glob("test_*.py"))] == []


def test_few_modules_lie_loose():
    assert len(list(TESTS.glob("*.py"))) <= MOST_LOOSE


def test_what_is_out_of_place_is_seen(tmp_path):
    """The control."""
    for folder in ("mixture/kernels", "faults", "attic", "mixture/attic", "house/mixture"):
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / folder / "test_it.py").touch()
    (tmp_path / "test_loose.py").touch()
    assert strays(tmp_path) == [".", "attic", "house/mixture", "mixture/attic"]
