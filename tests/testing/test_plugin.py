"""The pytest plugin keeps the evidence where options say."""

import subprocess
import sys

import pytest


def test_evidence_is_kept_by_option(project, pytester):
    project("--rate-evidence", "kept").assert_outcomes(passed=1, failed=1, skipped=1)
    stems = {path.stem for path in (pytester.path / "kept").iterdir()}
    assert stems == {
        "test_rate.py-test_log",
        "test_rate.py-test_wrong-1-eps",
        "test_rate.py-test_short",
    }
    assert len(list((pytester.path / "kept").iterdir())) == 9


def test_evidence_is_kept_by_setting(project, pytester):
    folder = pytester.mkdir("below")
    pytester.makeini("[pytest]\nrate_evidence = kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        project("..", "-k", "log").assert_outcomes(passed=1, deselected=2)
    assert len(list((pytester.path / "kept").iterdir())) == 3


@pytest.mark.parametrize("place", ["taken", "taken/below"])
@pytest.mark.parametrize("how", ["option", "setting"])
def test_a_file_is_no_folder_for_evidence(project, pytester, place, how):
    (pytester.path / "taken").write_text("")
    if how == "setting":
        pytester.makeini(f"[pytest]\nrate_evidence = {place}")
    name = "--rate-evidence" if how == "option" else "rate_evidence"
    result = project(*(["--rate-evidence", place] if how == "option" else []))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    lines = [line for line in result.errlines if line]
    path = pytester.path / "taken"
    assert lines == [f"ERROR: {name}: {path} is a file; name a folder, new or not"]


def test_without_a_folder_only_what_fails_leaves_a_picture(project, pytester):
    result = project("-k", "log or wrong")
    result.assert_outcomes(passed=1, failed=1, deselected=1)
    result.stdout.fnmatch_lines(["*1/eps fails: T(eps) is logarithmic: * steps per decade*"])
    found = list(pytester.path.rglob("*.png"))
    assert [path.name for path in found] == ["test_rate.py-test_wrong-1-eps.png"]
    assert str(found[0]) in result.stdout.str()


def test_fixture_writes_evidence_of_its_own(project, pytester):
    pytester.makepyfile(
        test_rate="""
        import motsim
        import numpy as np

        def test_kept(rate_evidence):
            losses = np.exp(-np.arange(300.0)[:, None] / [12.0, 12.5, 13.0])
            assert rate_evidence(motsim.rate(losses)).exists()
        """
    )
    project("--rate-evidence=kept").assert_outcomes(passed=1)
    assert (pytester.path / "kept" / "test_rate.py-test_kept.png").exists()


def test_the_plugin_loads_nothing_heavy():
    code = "import sys, pytest, motsim.pytest_plugin; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "motsim.testing" in loaded
    assert not loaded & {"numpy", "pandas", "scipy", "numba", "matplotlib", "motsim.rates"}
