"""Runs on ray: the bytes of one machine; what cannot work is one line, within seconds."""

import importlib.util
import os
import socket
import subprocess
import sys

import pandas as pd
import pytest

from motsim.running.ray_address import PATIENCE
from tests.running.ray_cluster import OPEN, PATIENT, RayCluster

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None, reason="extra `ray` is not installed"
    ),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.timeout(300),
]
ENOUGH = 90  # seconds, on a busy machine too
#: In a worker's way to Python: as if motsim were not installed on its node.
WITHOUT_MOTSIM = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "motsim":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
"""
#: As it was: whatever ray reports is a worker that died.
WITHOUT_CAUSES = """
import sys
from motsim.running import ray_backend
from motsim.sweep import main
ray_backend.RayTaskError = ()
raise SystemExit(main(sys.argv[1:]))
"""
#: As it was: ray itself finds out whether anything answers.
WITHOUT_A_TRIAL = """
import sys
from motsim.running import ray_address
from motsim.sweep import main
ray_address._try = lambda address: None
raise SystemExit(main(sys.argv[1:]))
"""


@pytest.fixture
def probe(kinds, tmp_path):
    """probe(text) writes a sweep of test-only runs."""

    def write(text):
        path = tmp_path / "probe.toml"
        path.write_text(f"title = 'Probe'\nkind = 'probe'\nseeds = 2\n{text}\n")
        return str(path)

    return write


def call(*words, program=("-m", "motsim.sweep"), timeout=240, **environment):
    """(exit code, lines on standard error) of a sweep."""
    done = subprocess.run(
        [sys.executable, *program, *map(str, words), "--progress", "quiet", "--no-figure"],
        env={**os.environ, **PATIENT, **environment},
        capture_output=True,
        text=True,
        timeout=timeout,
    )
    return done.returncode, done.stderr.splitlines()


def table(folder):
    return (folder / "probe.csv").read_bytes()


def test_ray_gives_the_bytes_of_one_machine(probe, tmp_path):
    name = probe("[grid]\nlevel = [0, 1]\nmood = ['good', 'raises', 'threads']")
    assert call(name, "--backend", "ray", "--jobs", 2, "--out", tmp_path / "ray")[0] == 1
    assert call(name, "--jobs", 1, "--out", tmp_path / "one")[0] == 1
    assert table(tmp_path / "ray") == table(tmp_path / "one")


@pytest.mark.slow
def test_a_run_that_kills_its_ray_worker_is_given_up(probe, tmp_path):
    name = probe("[case.good]\nseconds = 0.05\n[case.bad]\nmood = 'kills'\nlevel = 9")
    words = ("--backend", "ray", "--jobs", 2, "--seeds", 1, "--out", tmp_path / "ray")
    assert call(name, *words)[0] == 1
    rows = pd.read_csv(tmp_path / "ray" / "probe.csv")
    assert dict(zip(rows["case"], rows["status"], strict=True)) == {
        "good": "done", "bad": "worker_died",
    }  # fmt: skip


def test_jobs_beside_a_known_cluster(probe, tmp_path):
    """ray refuses a number of processors there; it is the number of runs handed out."""
    name = probe("[grid]\nlevel = [0, 1]")
    with RayCluster() as cluster:
        for place, words, known in (
            ("known", (), {"RAY_ADDRESS": cluster.address}),
            ("named", ("--scheduler", cluster.address), {}),
        ):
            out = tmp_path / place
            code, errors = call(
                name, "--backend", "ray", *words, "--jobs", 1, "--out", out, **OPEN, **known
            )
            assert (code, errors) == (0, [])
            assert len(pd.read_csv(out / "probe.csv")) == 4


@pytest.mark.parametrize(
    ("program", "code"), [(("-m", "motsim.sweep"), 2), (("-c", WITHOUT_CAUSES), 1)],
    ids=["as it is", "control"],
)  # fmt: skip
def test_a_node_without_motsim_is_one_line_and_no_dying_run(probe, tmp_path, program, code):
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WITHOUT_MOTSIM)
    name = probe("")
    with RayCluster(PYTHONPATH=str(site)) as cluster:
        words = ("--backend", "ray", "--scheduler", cluster.address, "--out", tmp_path / "out")
        found, errors = call(name, *words, program=program, **OPEN)
    assert found == code, errors
    if code == 2:
        assert len(errors) == 1
        assert "a node of the ray cluster cannot run motsim" in errors[0]
        assert "No module named 'motsim" in errors[0]
        assert not (tmp_path / "out" / "probe.csv").exists()
    else:
        assert set(pd.read_csv(tmp_path / "out" / "probe.csv")["status"]) == {"worker_died"}


@pytest.mark.parametrize("address", ["DEAD", "SILENT"])
def test_no_ray_cluster_is_one_line_in_time(tmp_path, address):
    """Within 30 s: a start and `PATIENCE`. The control below waits as long as this may take."""
    assert PATIENCE <= 25
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        if address == "SILENT":
            listener.listen()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        out = tmp_path / "out"
        code, errors = call("rates", "--backend", "ray", "--scheduler", place, "--out", out)
    assert (code, len(errors)) == (2, 1), errors
    assert f"no ray cluster answers at {place!r}" in errors[0]
    assert not out.exists()


@pytest.mark.slow
def test_control_without_a_trial_ray_waits_on(tmp_path):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        place = f"127.0.0.1:{listener.getsockname()[1]}"
        words = ("rates", "--backend", "ray", "--scheduler", place, "--out", tmp_path / "out")
        with pytest.raises(subprocess.TimeoutExpired):
            call(*words, program=("-c", WITHOUT_A_TRIAL), timeout=ENOUGH)


def test_a_home_that_cannot_be_written_is_one_line(probe, tmp_path):
    """ray from 2.60 on keeps a secret there; earlier ones need none, and run."""
    words = (probe(""), "--backend", "ray", "--jobs", 2, "--out", tmp_path / "out")
    cache = str(tmp_path / "cache")
    code, errors = call(*words, HOME="/proc/nowhere", MOTSIM_CACHE_DIR=cache)
    if code:
        assert (code, len(errors)) == (2, 1), errors
        assert "ray cannot start a cluster here" in errors[0]
        assert "/proc/nowhere" in errors[0]
    else:
        assert not errors
