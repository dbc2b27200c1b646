"""Wheel, sdist and editable install: one name in site-packages, and it works outside the clone."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import motsim
from motsim.plans.loading import sweep_names

ROOT = Path(motsim.__file__).parents[1]
PARTS = ("motsim", "figures", "sweeps")
FILES = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
SWEEP = "rehearsal-memory"  # nothing in it is compiled
CHEAP = ("--set", "repetitions=4", "--jobs", "1")


def clone(place):
    """Copy the sources, links as links."""
    for part in PARTS:
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / part, place / part, symlinks=True, ignore=unwanted)
    for file in FILES:
        shutil.copy(ROOT / file, place)
    return place


def built(what, source, place):
    """Build a distribution as `pip` does; return its path."""
    place.mkdir(exist_ok=True)
    code = f"from setuptools import build_meta as b; print(b.build_{what}({str(place)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=source, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return place / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def distributions(tmp_path_factory):
    """Form -> file: wheel, sdist, the wheel of the unpacked sdist, editable."""
    setuptools = pytest.importorskip("setuptools")
    if int(setuptools.__version__.partition(".")[0]) < 77:
        pytest.skip("building needs setuptools 77 or newer")
    base = tmp_path_factory.mktemp("distributions")
    source = clone(base / "clone") if (base / "clone").mkdir() is None else None
    found = {name: built(name, source, base / name) for name in ("wheel", "sdist", "editable")}
    with tarfile.open(found["sdist"]) as archive:
        archive.extractall(base, filter="data")
    found["wheel of the sdist"] = built(
        "wheel", base / found["sdist"].name.removesuffix(".tar.gz"), base / "again"
    )
    return found


def held(path):
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def top_names(files):
    return {name.partition("/")[0] for name in files if ".dist-info/" not in name}


def test_one_name_is_installed(distributions, tmp_path):
    files = held(distributions["wheel"])
    assert top_names(files) == {"motsim"}
    assert b"motsim = motsim.__main__:start" in next(
        text for name, text in files.items() if name.endswith("entry_points.txt")
    )
    loose = clone(tmp_path)  # the control: packed from the top, as before
    text = (loose / "pyproject.toml").read_text()
    changed = text.replace('include = ["motsim*"]', 'include = ["motsim*", "figures*"]')
    assert changed != text
    (loose / "pyproject.toml").write_text(changed)
    assert top_names(held(built("wheel", loose, tmp_path / "dist"))) == {"motsim", "figures"}


def test_a_wheel_holds_every_module_figure_and_sweep(distributions):
    files = held(distributions["wheel"])
    for part, ending in (("motsim", "py"), ("figures", "py"), ("sweeps", "toml")):
        for path in (ROOT / part).rglob(f"*.{ending}"):
            name = path.relative_to(ROOT).as_posix()
            name = name if part == "motsim" else f"motsim/{name}"
            assert files[name] == path.read_bytes()
    assert files["motsim/py.typed"] == b""


def test_the_sdist_gives_the_same_wheel(distributions):
    wheel, again = (held(distributions[form]) for form in ("wheel", "wheel of the sdist"))
    record = next(name for name in wheel if name.endswith("RECORD"))
    assert wheel.keys() == again.keys()
    assert all(wheel[name] == again[name] for name in wheel if name != record)


def test_an_editable_install_is_a_path(distributions):
    """Type checkers and editors follow a path, and no import hook."""
    files = {name: text for name, text in held(distributions["editable"]).items()
             if ".dist-info/" not in name}  # fmt: skip
    assert [name.rpartition(".")[2] for name in files] == ["pth"]
    (line,) = files.popitem()[1].decode().splitlines()
    place = Path(line)
    assert place.samefile(distributions["editable"].parents[1] / "clone")
    assert (place / "motsim" / "figures" / "style.py").is_file()


@pytest.fixture(scope="module")
def places(distributions, tmp_path_factory):
    """Form -> folder that an install puts on the path."""
    base = tmp_path_factory.mktemp("site")
    for form in ("wheel", "wheel of the sdist"):
        with zipfile.ZipFile(distributions[form]) as archive:
            archive.extractall(base / form)
    (line,) = (text for name, text in held(distributions["editable"]).items() if ".pth" in name)
    return {
        "wheel": base / "wheel", "sdist": base / "wheel of the sdist",
        "editable": Path(line.decode().strip()),
    }  # fmt: skip


def called(place, folder, *words):
    """What a command says, in a folder outside of every clone, with the install alone in place."""
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(place), "MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def tables(folder):
    return {path.name: path.read_bytes() for path in folder.glob(f"{SWEEP}*") if path.is_file()}


def test_every_form_works_outside_the_clone(places, tmp_path):
    """The first computes; the others find its runs, and make the same tables and figures of them."""
    seen = {}
    for form, place in places.items():
        where = called(place, tmp_path, "-c", "import motsim.figures as f; print(f.__file__)")
        assert Path(where.stdout.strip()) == place / "motsim" / "figures" / "__init__.py"
        listed = called(place, tmp_path, "-m", "motsim", "sweep", "--list").stdout
        assert set(sweep_names()) <= set(listed.split())
        shutil.rmtree(tmp_path / "results" / "figures", ignore_errors=True)
        done = called(place, tmp_path, "-m", "motsim", "sweep", SWEEP, *CHEAP)
        assert ("192 finished before" in done.stderr) == bool(seen), done.stderr
        out = tmp_path / "results"
        pictures = {path.name: path.read_bytes() for path in (out / "figures").iterdir()}
        seen[form] = (tables(out), pictures)
        (meta,) = out.glob(f"{SWEEP}*.json")
        assert f"motsim:{SWEEP}.toml" in meta.read_text()
        assert "--serif" in called(place, tmp_path, "-m", "motsim", "figures", "--help").stdout
    assert seen["wheel"] == seen["sdist"] == seen["editable"]
    assert len(seen["wheel"][1]) >= 3


def test_figures_by_their_short_name_in_a_clone(places, tmp_path):
    """`python -m figures`, where the folder lies; an install has no such name."""
    clone = places["editable"]
    assert "WIDTH" in called(clone, clone, "-m", "figures", "--help").stdout
    code = "import importlib.util as u; print(u.find_spec('figures'))"
    assert called(places["wheel"], tmp_path, "-I", "-c", code).stdout == "None\n"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["wheel", "editable"])
def test_type_checkers_see_the_public_names(places, form, tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "mine.py").write_text(
        "import motsim\nreveal_type(motsim.train)\nmotsim.Model('mot', num_expert=3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--follow-imports=silent", "mine.py"], cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(places[form])}, capture_output=True, text=True,
    )  # fmt: skip
    assert "-> motsim.mixture.trace.Trace" in done.stdout
    assert 'Unexpected keyword argument "num_expert"' in done.stdout  # no Any: it can fail
