"""F13, F14: wrong sweep files end in one helpful line and code 2, and nothing is written."""

import json
import string
import tomllib

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import motsim.sweep
from motsim.experiments import kind_module, kinds
from motsim.plans.file import FOLDER
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepFile, TierTable
from motsim.plans.schema import sweep_schema
from motsim.sweep import main

GOOD = (FOLDER / "similarity.toml").read_text()


@pytest.fixture
def refuse(tmp_path, monkeypatch, capsys):
    """refuse(text, *words) -> the one line; None if the file is a sweep (which is not run)."""
    monkeypatch.setattr(motsim.sweep, "_run", lambda *arguments: 0)
    path = tmp_path / "mutant.toml"

    def call(text, *words):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        code = main([str(path), "--out", str(tmp_path / "out"), *words])
        printed = capsys.readouterr()
        assert list(tmp_path.iterdir()) == [path]
        assert not printed.out
        if code == 0:
            assert not printed.err
            return None
        assert code == 2
        lines = printed.err.splitlines()
        assert len(lines) == 1, printed.err
        assert lines[0].startswith("python -m motsim.sweep: ")
        assert "mutant.toml" in lines[0]
        assert "Traceback" not in lines[0]
        return lines[0]

    return call


# --- F13: misspelt keys ---------------------------------------------------------------------------


def typos(word):
    """Every deletion of one letter, every swap of two neighbors, another case."""
    found = {word[:i] + word[i + 1 :] for i in range(len(word))}
    found |= {word[:i] + word[i + 1] + word[i] + word[i + 2 :] for i in range(len(word) - 1)}
    found |= {word.upper(), word.capitalize()}
    return sorted(found - {word, ""})


def misspelt():
    """(right key, wrong key, file) for every key of every kind in every table."""
    for key in SweepFile.model_fields:
        for wrong in typos(key):
            yield key, wrong, f"title = 'x'\n{wrong} = 1\n"
    for key in TierTable.model_fields:
        for wrong in typos(key):
            yield key, wrong, f"title = 'x'\n[tier.full]\n{wrong} = 1\n"
    tables = ["[fixed]", "[grid]", "[case.a]", "[case.a.grid]", "[tier.quick.fixed]"]
    place = 0
    for kind in kinds():
        names = set(kind_module(kind).Settings.model_fields) - {"seed"}
        for key in sorted(names):
            for wrong in typos(key):
                if wrong not in names:
                    table = tables[place % len(tables)]
                    place += 1
                    value = "[1]" if "grid" in table else "1"
                    yield key, wrong, f"title='x'\nkind='{kind}'\n{table}\n{wrong} = {value}\n"


def test_f13_every_misspelt_key_is_refused_with_the_right_one(refuse, record):
    right = total = 0
    missed = []
    for key, wrong, text in misspelt():
        line = refuse(text)
        assert line, text
        assert wrong in line
        total += 1
        if f"did you mean {key!r}?" in line:
            right += 1
        else:
            missed.append((wrong, line))
    assert total > 1500
    assert right >= 0.95 * total, missed[:20]
    record("F13", f"{total} misspelt keys refused, {right / total:.1%} with the right suggestion")


def test_f13_control_right_keys_are_not_refused(refuse):
    for kind, line in {
        "mixture": "num_experts = 3", "rehearsal": "num_tasks = 3", "deep": "replicates = 3",
    }.items():  # fmt: skip
        assert refuse(f"title='x'\nkind='{kind}'\n[fixed]\n{line}\n") is None


# --- F14: bad values ------------------------------------------------------------------------------

BAD = {
    "epsilon_min": ["0.0", "-1e-3", "1.0", "0.5", "nan", "inf", "true", "'1e-3'", "[]", "{}"],
    "epsilon_max": ["0.0", "1.0", "2.0", "-0.1", "nan", "-inf", "false", "'0.1'"],
    "num_experts": ["0", "-1", "2.5", "true", "'2'", "nan", "[1]"],
    "num_classes": ["1", "0", "-1", "2.5", "1000000000"],
    "similarity": ["1.0", "1.5", "-0.34", "-1.0", "nan", "'0'"],
    "num_tokens": ["2", "0", "-3"],
    "dim": ["7", "0", "1" + "0" * 30],
    "class_amplitude": ["[]", "[1.0]", "[2.0, 1.0]", "[0.0, 1.0]", "[1.0, inf]", "1.0"],
    "converge_steps": ["-1", "1.5", "1" + "0" * 400],
}


@pytest.mark.parametrize("key", BAD)
def test_f14_bad_values_are_refused_wherever_they_stand(refuse, key):
    for value in BAD[key]:
        for text in (
            f"[fixed]\n{key} = {value}", f"[grid]\n{key} = [{value}]",
            f"[case.a]\n{key} = {value}", f"[tier.quick.fixed]\n{key} = {value}",
        ):  # fmt: skip
            line = refuse(f"title = 'x'\n{text}\n")
            assert line, (key, value)
            assert len(line) < 900
        assert refuse("title = 'x'\n", "--set", f"{key}={value}")


def test_f14_too_many_runs_are_refused_before_they_are_made(refuse):
    axes = ("num_experts", "num_neurons", "num_nodes")
    values = f"[{', '.join(map(str, range(1, 1001)))}]"
    text = "title = 'x'\nseeds = 1\n[grid]\n" + "".join(f"{axis} = {values}\n" for axis in axes)
    assert "1,000,000,000 runs; a sweep has at most 1,000,000" in refuse(text)
    assert "is empty" in refuse("title = 'x'\n[grid]\ndim = []\n")


# --- mutated files --------------------------------------------------------------------------------

PIECES = ["=", "[", "]", "'", '"', "\n", "0", "-", "1e400", "nan", "true", "[[1]]", "{a=1}", "\\n"]
PIECES += ["grid", "case", "tier", "fixed", "seeds", "1979-05-27", "\x00", "\udcff", "é", "\r"]


EDITS = st.lists(
    st.tuples(
        st.integers(0, len(GOOD)),
        st.integers(0, 12),
        st.one_of(st.sampled_from(PIECES), st.text(string.printable, max_size=4)),
    ),
    min_size=1,
    max_size=4,
)
MUTATIONS = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@settings(max_examples=300, **MUTATIONS)
@given(edits=EDITS)
def test_300_mutated_files_give_one_line_and_write_nothing(refuse, edits):
    text = GOOD
    for place, length, piece in edits:
        text = text[:place] + piece + text[place + length :]
    line = refuse(text.encode("utf-8", "surrogateescape"))
    assert line is None or len(line) < 2000


def test_mutants_are_refused_and_accepted(refuse):
    """Control of the fixture: it tells good files from bad ones."""
    assert refuse(GOOD) is None
    assert refuse(GOOD.replace("title", "titel", 1))


# --- schema ---------------------------------------------------------------------------------------

VALIDATOR = jsonschema.Draft7Validator(json.loads(sweep_schema()))


def valid(text):
    return VALIDATOR.is_valid(tomllib.loads(text))


def test_the_schema_is_one_and_is_printed(capsys):
    jsonschema.Draft7Validator.check_schema(VALIDATOR.schema)
    assert main(["--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == VALIDATOR.schema
    kinds_there = {v["properties"]["kind"]["const"] for v in VALIDATOR.schema["oneOf"]}
    assert kinds_there == set(kinds())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_sweeps_agree_with_the_schema(path):
    assert valid(path.read_text())


@pytest.mark.parametrize(
    "text",
    [
        "", "titel = 'x'", "title = 'x'\nkind = 'mix'", "title = 'x'\nseeds = 0",
        "title = 'x'\n[fixed]\nnum_expert = 4", "title = 'x'\n[fixed]\nnum_tasks = 2",
        "title = 'x'\n[fixed]\nseed = 2", "title = 'x'\n[grid]\ndim = 8",
        "title = 'x'\n[grid]\ndim = []", "title = 'x'\n[case.a.grid]\nlos = ['squared']",
        "title = 'x'\n[tier.fast]\nseeds = 1", "title = 'x'\n[tier.quick.fixed]\nloss = 'l1'",
        "title = 'x'\nkind = 'rehearsal'\n[fixed]\nnum_experts = 2",
        "title = 'x'\nseed_start = -1", "title = 'x'\nseed_start = 0.5",
        "title = 'x'\n[tier.full]\nseed_start = 1",
    ],
)  # fmt: skip
def test_the_schema_refuses_what_the_command_refuses(refuse, text):
    assert not valid(text)
    assert refuse(text)


# --- two files of one name ------------------------------------------------------------------------

TINY = "title = 'T'\nkind = 'probe'\nseeds = 1\n[fixed]\nlevel = {level}\n"


def test_two_files_of_one_name_never_share_a_table(kinds, tmp_path, monkeypatch, capsys):
    for name, level in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.toml").write_text(TINY.format(level=level))
    one, two = (str(tmp_path / name / "mine.toml") for name in "ab")
    out = tmp_path / "out"
    rest = ["--out", str(out), "--jobs", "1", "--progress", "quiet"]
    assert main([one, two, *rest]) == 2
    assert not out.exists()
    assert main([one, *rest]) == 0
    table = (out / "mine.csv").read_bytes()
    capsys.readouterr()
    assert main([two, *rest]) == 2
    line = capsys.readouterr().err
    assert one in line
    assert two in line
    assert (out / "mine.csv").read_bytes() == table
    assert main([one, *rest]) == 0  # the same file again
    monkeypatch.chdir(tmp_path / "a")
    assert main(["mine.toml", *rest]) == 0  # also by another path
    (tmp_path / "a" / "mine.toml").rename(tmp_path / "mine.toml")
    assert main([str(tmp_path / "mine.toml"), *rest]) == 0  # a file that was moved


def test_a_file_may_not_take_the_tables_of_moved_seeds(kinds, tmp_path, capsys):
    plain, same = tmp_path / "mine.toml", tmp_path / "mine@seed_start=9.toml"
    plain.write_text(TINY.format(level=1))
    same.write_text(TINY.format(level=2))
    out = tmp_path / "out"
    rest = ["--out", str(out), "--jobs", "1", "--progress", "quiet"]
    assert main([str(plain), "--seed-start", "9", *rest]) == 0
    table = (out / "mine@seed_start=9.csv").read_bytes()
    capsys.readouterr()
    assert main([str(same), *rest]) == 2
    line = capsys.readouterr().err
    assert str(plain) in line
    assert str(same) in line
    assert (out / "mine@seed_start=9.csv").read_bytes() == table
    assert main([str(same), "--seed-start", "8", *rest]) == 0  # control: another name


def test_an_own_file_may_not_take_the_tables_of_a_shipped_sweep(kinds, tmp_path, capsys):
    own = tmp_path / "rates.toml"
    own.write_text(TINY.format(level=1))
    out = tmp_path / "out"
    out.mkdir()
    (out / "rates.json").write_text(json.dumps({"file": "motsim:rates.toml"}))
    assert main([str(own), "--out", str(out)]) == 2
    assert str(FOLDER / "rates.toml") in capsys.readouterr().err
    assert load_sweep(str(FOLDER / "rates.toml")).argument == "rates"
    assert load_sweep(str(own)).argument == str(own)
