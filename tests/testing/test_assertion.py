"""assert_rate and its pytest plugin: data of the other law must fail, with the evidence kept."""

import json
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import motsim
import motsim.rates
from motsim.rates.__main__ import main
from motsim.testing import Evidence, assert_rate, at_most
from motsim.testing.evidence import safe_name

FACTORS = np.array([1.0, 1.2, 0.9, 1.1, 1.05])
T = np.arange(4000.0)[:, None]
LOG = FACTORS * np.exp(-T[:300] / 12.0)
INVERSE = FACTORS / (1.0 + T)
SHORT = LOG[:25]  # less than a decade


@pytest.fixture(scope="module")
def rates():
    """Rates of the data above, decided once."""
    return {"log": motsim.rate(LOG), "1/eps": motsim.rate(INVERSE), "short": motsim.rate(SHORT)}


@pytest.fixture(autouse=True)
def pictures(request, monkeypatch):
    """Draw only where a test is about the picture: a second for each."""
    if "drawn" not in request.fixturenames:
        monkeypatch.setattr(
            motsim.rates.Rate, "plot", lambda self, path, **_: path.write_bytes(b"PNG")
        )


@pytest.fixture
def drawn():
    """Ask for real pictures."""


@pytest.fixture
def keep(tmp_path):
    return Evidence(tmp_path / "evidence", "case", always=False)


def grouped():
    """Two methods in one table, the second of another law."""
    parts = {"good": LOG, "bad": INVERSE}
    return pd.concat(
        pd.DataFrame({"method": name, "seed": s, "step": np.arange(len(x)), "loss": x[:, s]})
        for name, x in parts.items()
        for s in range(5)
    )


@pytest.mark.parametrize(
    ("data", "law"),
    [
        ("log", "log"),
        ("log", at_most(0.5)),
        ("1/eps", "1/eps"),
        ("1/eps", "inverse"),
        ("1/eps", "power"),
        ("1/eps", at_most(1.2)),
    ],
    ids=str,
)
def test_law_holds(rates, data, law):
    assert assert_rate(rates[data], law) is rates[data]


@pytest.mark.parametrize(
    ("data", "law"),
    [("log", "1/eps"), ("log", "power"), ("1/eps", "log"), ("1/eps", at_most(0.8))],
    ids=str,
)
def test_the_other_law_fails_with_everything_in_the_message(rates, data, law, keep):
    rate = rates[data]
    with pytest.raises(AssertionError) as failed:
        assert_rate(rate, law, inconclusive="skip", evidence=keep)
    message = str(failed.value)
    assert message.startswith(f"{law} fails: {rate.sentence}\n{rate.data}\n")
    table = rate.table()
    assert all(name in message for name in table.law)
    ends = table.loc[table.measures != "", ["low", "high"]].to_numpy().ravel()
    assert all(f"{end:.3g}" in message for end in ends)
    assert message.endswith(f"picture: {keep.written[0]}")
    assert keep.written[0].exists()


def test_a_bound_within_the_interval_is_inconclusive(rates, keep):
    low, high = rates["1/eps"].decision.exponent_interval
    with pytest.raises(AssertionError, match=r"inconclusive(.|\n)*p is in \[.* holds") as failed:
        assert_rate(rates["1/eps"], at_most(0.5 * (low + high)), evidence=keep)
    assert "What would decide it" in str(failed.value)


def test_a_floor_is_no_rate(keep):
    rate = motsim.rate(FACTORS * np.exp(-T / 40.0) + 2e-5)
    for law in ("log", at_most(5.0)):
        with pytest.raises(AssertionError, match="fails: The loss stopped"):
            assert_rate(rate, law, evidence=keep)
    assert assert_rate(rate, "floor", evidence=keep) is rate


def test_inconclusive_fails_or_skips(rates, keep):
    with pytest.raises(AssertionError, match=r"^log inconclusive: No law") as failed:
        assert_rate(rates["short"], "log", evidence=keep)
    assert f"What would decide it: {rates['short'].advice}." in str(failed.value)
    with pytest.raises(pytest.skip.Exception, match="log is inconclusive: No law"):
        assert_rate(rates["short"], "log", inconclusive="skip", evidence=keep)


def test_range_is_stated(keep):
    """A power down to 2e-4, a logarithm below."""
    losses = np.concatenate([INVERSE, INVERSE[-1] * np.exp(-T[1:400] / 25.0)])
    found = assert_rate(losses, "log", below=2e-4, evidence=keep)
    assert found.decision.eps_range[1] <= 2e-4
    assert found.tried == 1
    both = assert_rate(losses, "log", below=2e-4, above=1e-8, evidence=keep)
    assert both.decision.eps_range[0] >= 1e-8
    with pytest.raises(AssertionError, match="log inconclusive: No law"):  # 3 decades are needed
        assert_rate(losses, "log", below=2e-4, above=1e-6, evidence=keep)
    with pytest.raises(AssertionError, match="log fails"):
        assert_rate(losses, "log", above=3e-4, evidence=keep)


def test_every_group_must_follow_the_law(keep):
    with pytest.raises(AssertionError) as failed:
        assert_rate(grouped(), "log", evidence=keep)
    lines = str(failed.value).splitlines()
    assert lines[0] == "log fails for 1 of 2 groups: method=bad"
    assert lines[2].startswith("method=bad: log fails: T(eps) grows like 1/eps")
    assert [path.name for path in keep.written] == ["case-method=bad.png"]
    found = assert_rate(grouped(), at_most(1.5), evidence=keep)
    assert sorted(found) == ["method=bad", "method=good"]


def test_evidence_is_what_the_rate_says(rates, keep, drawn):
    picture = keep(rates["log"])
    assert picture.name == "case.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    said = json.loads(picture.with_suffix(".json").read_text())
    assert said["law"] == "log"
    assert said["sentence"] == rates["log"].sentence
    assert "NaN" not in picture.with_suffix(".json").read_text()
    table = pd.read_csv(picture.with_suffix(".csv"))
    assert list(table.law) == list(rates["log"].table().law)


def test_evidence_of_an_inconclusive_rate_holds_the_times_looked_at(rates, keep):
    """With no law fitted, as here, and in a stated range; what is decided has laws alone."""
    short = pd.read_csv(keep(rates["short"]).with_suffix(".csv"))
    assert len(rates["short"].table()) == 0
    np.testing.assert_allclose(short.eps, SHORT[1:].T.ravel())  # T = 0 is no hitting time
    assert short["T"].tolist() == list(range(1, len(SHORT))) * 5
    assert short.run.astype(str).nunique() == 5
    assert short.looked_at.all()
    assert short.law.isna().all()
    stated = motsim.rate(LOG, eps_range=(1e-2, 1e-1))
    told = pd.read_csv(keep(stated).with_suffix(".csv"))
    assert stated.law == "inconclusive"
    assert len(told) == 5 * (len(LOG) - 1)
    assert (told.looked_at == ((told.eps >= 1e-2) & (told.eps <= 1e-1))).all()
    laws = pd.read_csv(keep(rates["log"]).with_suffix(".csv"))
    assert "T" not in laws
    assert laws.law.notna().all()


def test_evidence_that_cannot_be_written_hides_no_failure(rates, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AssertionError, match=r"log fails: (.|\n)*picture: not written"):
        assert_rate(rates["1/eps"], "log", evidence=tmp_path / "file")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"law": "lgo"}, ValueError, r"law must be log, .* got 'lgo'; did you mean log\?"),
        ({"law": "O(1/eps)"}, ValueError, r"got 'O\(1/eps\)'; did you mean 1/eps\?"),
        ({"law": "1/ε²"}, ValueError, "law must be log, 1/eps, power, floor or at_most"),
        ({"law": "logarithmic"}, ValueError, r"did you mean log\?"),
        ({"law": 1}, ValueError, r"got 1; did you mean at_most\(1\)\?"),
        ({"below": 0}, ValueError, "below must be a positive number; got 0"),
        ({"above": "x"}, ValueError, "above must be a positive number; got 'x'"),
        ({"above": 1e-2, "below": 1e-4}, ValueError, "no eps is >= above=0.01 and <= below=0.0001"),
        ({"below": 1e-2, "eps_range": (1e-4, 1e-2)}, ValueError, "give one of them"),
        ({"inconclusive": "pass"}, ValueError, "inconclusive must be fail or skip; got 'pass'"),
        ({"passage": "last"}, ValueError, "passage must be first or stay; got 'last'"),
        ({"loss": "los"}, ValueError, "los"),
        ({"belwo": 1e-2}, TypeError, r"no option 'belwo'; did you mean below\?"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_arguments_are_one_line(arguments, error, message):
    with pytest.raises(error, match=message) as refused:
        assert_rate(grouped(), **{"law": "log", **arguments})
    assert "\n" not in str(refused.value)


def test_a_rate_has_its_range_already(rates):
    with pytest.raises(ValueError, match=r"below: a rate is decided already"):
        assert_rate(rates["log"], "log", below=1e-2)


@pytest.mark.parametrize("p", [0, -1.0, float("inf"), float("nan"), "1", True])
def test_wrong_bounds_are_one_line(p):
    with pytest.raises(ValueError, match=r"^at_most: p must be a positive number; got .*$"):
        at_most(p)


def test_file_names_are_safe_and_differ():
    assert safe_name("tests/test_a.py::test_b[1-x]") == "tests-test_a.py-test_b-1-x"
    odd = [f"test_a.py::test_b[{text}]" for text in ("a b", "a?b", "ä" * 300, "../../x", "b" * 400)]
    names = [safe_name(text) for text in odd]
    assert len(set(names)) == len(odd)
    assert all(len(name) < 140 and name.replace(".", "").isascii() for name in names)
    assert not any("/" in name or name.startswith(".") for name in names)


# the plugin

INSTALLED = any(point.name == "motsim" for point in entry_points(group="pytest11"))
LOAD = [*([] if INSTALLED else ["-p", "motsim.pytest_plugin"]), "-p", "no:hypothesispytest"]
CASES = """
import numpy as np
import pytest
from motsim.testing import assert_rate

T = np.arange(4000.0)[:, None]
LOG = [1.0, 1.2, 0.9, 1.1, 1.05] * np.exp(-T[:300] / 12.0)

def test_log():
    assert_rate(LOG, "log")

@pytest.mark.parametrize("law", ["1/eps"])
def test_wrong(law):
    assert_rate(LOG, law)

def test_short():
    assert_rate(LOG[:25], "log", inconclusive="skip")
"""


@pytest.fixture
def project(pytester):
    """Make a small project of its own; returns what runs its tests."""
    pytester.makepyfile(test_rate=CASES)
    return lambda *options: pytester.runpytest_inprocess(*LOAD, *options)


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


# the pages

PAGES = Path(__file__).parents[2] / "docs"
NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def blocks(page, kind):
    return re.findall(rf"```{kind}\n(.*?)\n```", (PAGES / page).read_text("utf-8"), re.DOTALL)


def same(shown, printed):
    """Whether words agree, and numbers to what another machine's arithmetic may change."""
    words, more = NUMBER.sub("#", shown).split(), NUMBER.sub("#", printed).split()
    numbers = [
        [float(text.replace(",", "")) for text in NUMBER.findall(page)] for page in (shown, printed)
    ]
    return words == more and np.allclose(*numbers, rtol=0.05, atol=0.01)


def test_numbers_of_a_page_are_compared():
    assert same("p = 1.06 [1.04,\n 1.11]", "p = 1.07 [1.04, 1.11]")
    assert not same("p = 1.06 [1.04, 1.11]", "p = 1.26 [1.04, 1.11]")
    assert not same("p = 1.06 over", "p = 1.06 below")


def test_the_page_shows_what_the_command_prints(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    script = next(code for code in blocks("log-or-power.md", "python") if "to_csv" in code)
    exec(compile(script, "curves.py", "exec"), {})
    commands = 0
    for block in blocks("log-or-power.md", "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            if not line.startswith("python -m motsim.rates "):
                subprocess.run(line, shell=True, check=True)
                continue
            main(shlex.split(line)[3:])
            printed = "".join(capsys.readouterr())
            assert same(shown, printed), f"docs/log-or-power.md is old: {line}\n{printed}"
            commands += 1
    assert commands == 4


def test_the_project_of_the_page_passes(pytester):
    """Its files stand under their names; the commands by hand are those of the workflow."""
    text = (PAGES / "rate-in-ci.md").read_text("utf-8")
    for name in ("pyproject.toml", "descent.py", "tests/test_rates.py"):
        (code,) = re.findall(rf"`{name}`:\n\n```\w+\n(.*?)\n```", text, re.DOTALL)
        path = pytester.path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(code + "\n")
    pytester.syspathinsert()
    (workflow,), (shown,) = blocks("rate-in-ci.md", "yaml"), blocks("rate-in-ci.md", "console")
    commands = re.findall(r"run: (.*)", workflow)
    assert commands == re.findall(r"^\$ (.*)", shown, re.MULTILINE)
    options = shlex.split(commands[-1])[3:]
    done = pytester.runpytest_inprocess(*LOAD, *options)
    done.assert_outcomes(passed=3, skipped=1)
    assert len(list((pytester.path / "rate-evidence").glob("*.png"))) == 4
    broken = pytester.path / "tests" / "test_rates.py"
    broken.write_text(broken.read_text().replace("at_most(1.25)", '"log"'))
    failed = pytester.runpytest_inprocess(*LOAD, "-k", "theorem")
    failed.assert_outcomes(failed=1, deselected=3)
    (message,) = blocks("rate-in-ci.md", "text")
    first = next(line for line in message.splitlines() if "AssertionError" in line)
    printed = next(line for line in failed.outlines if line.startswith("E       AssertionError"))
    assert same(first, printed), f"docs/rate-in-ci.md is old:\n{printed}"
