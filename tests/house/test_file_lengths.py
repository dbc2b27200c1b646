"""A file of motsim holds one noun, and is read in one sitting: at most 300 lines."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MOST = 300
FOLDERS = ("motsim", "figures", "sweeps", "examples", "tests")


def too_long(folder):
    """Files of more than `MOST` lines, and how many these have."""
    counts = {path: len(path.read_text("utf-8").splitlines()) for path in folder.rglob("*.py")}
    return {path.relative_to(folder).as_posix(): n for path, n in counts.items() if n > MOST}


def test_files_are_short():
    found = {name: too_long(ROOT / name) for name in FOLDERS}
    assert {name: files for name, files in found.items() if files} == {}


def test_a_long_file_is_seen(tmp_path):
    """The control."""
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "short.py").write_text("x = 1\n" * MOST, "utf-8")
    assert too_long(tmp_path) == {}
    (inner / "long.py").write_text("x = 1\n" * (MOST + 1), "utf-8")
    assert too_long(tmp_path) == {"inner/long.py": MOST + 1}
