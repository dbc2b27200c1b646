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
from motsim.experiments.sources import science_hash
from motsim.figures import figure_names
from motsim.plans.loading import load_sweep, sweep_names

ROOT = Path(motsim.__file__).parents[1]
PARTS = ("motsim", "figures", "sweeps")
FILES = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")
KIND = """
import motsim


class Settings(motsim.KindSettings):
    seed: int = 0
    rate: float = 0.1


def run(settings):
    losses = [(1.0 - settings.rate * (1 + settings.seed / 100)) ** k for k in range(200)]
    return motsim.result_of_losses(losses, [1e-1, 1e-2, 1e-3, 1e-4])
"""
MINE = 'title = "Mine"\nkind = "decay"\nseeds = 3\n[grid]\nrate = [0.1, 0.2]\n'
LOOK = """
import motsim.figures as figures
from motsim.experiments.sources import science_hash
from motsim.plans.loading import load_sweep, sweep_names
for name in figures.figure_names():
    figures.figure_module(name)
print(figures.__file__)
print(science_hash("motsim.experiments.mixture.run"))
print(*(load_sweep(name).title for name in sweep_names()))
print(*figures.figure_names())
"""


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
    with zipfile.ZipFile(distributions["wheel of the sdist"]) as archive:
        archive.extractall(base)  # the same files as in the wheel, see above
    (line,) = (text for name, text in held(distributions["editable"]).items() if ".pth" in name)
    return {"wheel": base, "editable": Path(line.decode().strip())}


def called(place, folder, *words):
    """What a command says, in a folder outside of every clone, with the install alone in place."""
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, timeout=300,
        env={**os.environ, "PYTHONPATH": str(place), "MPLBACKEND": "Agg"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done


def made(folder):
    """What is in a results folder, but for the store."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".db" not in path.name]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_every_form_works_outside_the_clone(places, tmp_path):
    """The first computes and draws; the others find its runs, and make the same tables of them."""
    (tmp_path / "mine.toml").write_text(MINE)
    (tmp_path / "decay.py").write_text(KIND)
    titles = " ".join(load_sweep(name).title for name in sweep_names())
    here = [science_hash("motsim.experiments.mixture.run"), titles, " ".join(figure_names())]
    seen = {}
    for form, place in places.items():
        file, *found = called(place, tmp_path, "-c", LOOK).stdout.splitlines()
        assert Path(file) == place / "motsim" / "figures" / "__init__.py"
        assert found == here  # keys of runs, sweeps and figures of this clone
        shutil.rmtree(tmp_path / "results" / "figures", ignore_errors=True)
        words = ["-m", "motsim", "sweep", "mine.toml", "--jobs", "1", *["--no-figure"][: len(seen)]]
        said = called(place, tmp_path, *words).stderr
        assert ("6 runs, 6 finished before" in said) == bool(seen), said
        seen[form] = made(tmp_path / "results")
    assert {"mine.csv", "figures/mine.pdf"} <= seen["wheel"].keys()
    tables = {name: file for name, file in seen["wheel"].items() if not name.startswith("figures")}
    assert tables == seen["editable"]


def test_figures_by_their_short_name_in_a_clone(places, tmp_path):
    """`python -m figures`, where the folder lies; an install has no such name."""
    clone = places["editable"]
    assert "WIDTH" in called(clone, clone, "-m", "figures", "--help").stdout
    # Nothing else on the path: what runs the tests may itself be an editable install.
    code = f"""import sys; sys.path.insert(0, {str(places["wheel"])!r}); import importlib.util as u
print(u.find_spec("figures"), u.find_spec("motsim") is not None)"""
    assert called(places["wheel"], tmp_path, "-I", "-S", "-c", code).stdout == "None True\n"


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
