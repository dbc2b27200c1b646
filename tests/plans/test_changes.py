"""Settings of a call: how they are read and named, and which cases they make one."""

import shlex
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from motsim.plans.levelled import levelled
from motsim.plans.loading import load_sweep
from motsim.plans.plan import Axis, Changes, parse_override, split_table, sweep_words
from tests.plans.wrong_files import SMALL, refusal


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=8", 8),
        ("x=8.0", 8.0),
        ("x=1e-3", 1e-3),
        ("x = true", True),
        ("x=logistic", "logistic"),
        ("x= logistic ", "logistic"),
        ("x='a b'", "a b"),
        ("x=[1.0, 2.0]", [1.0, 2.0]),
        ("x=a=b", "a=b"),
        ("x=", ""),
        ("x=" + "9" * 5000, "9" * 5000),
        ("x=" + "[" * 5000, "[" * 5000),
    ],
    ids=lambda v: str(v)[:20],
)
def test_overrides_are_toml_or_a_word(text, value):
    key, found = parse_override(text)
    assert (key, found, type(found)) == ("x", value, type(value))


@pytest.mark.parametrize("text", ["", "x", "=3", " = 3"])
def test_an_override_without_key_or_value_is_refused(text):
    assert f"--set takes key=value; got {text!r}" in refusal(lambda: parse_override(text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x=8,16", [8, 16]), ("x=8,", [8]), ("x=1e-3, 2", [1e-3, 2]),
        ("x=squared,logistic", ["squared", "logistic"]), ("x=[1.0,2.0],[1.0,3.0]",
         [[1.0, 2.0], [1.0, 3.0]]), ("x='a,b','c'", ["a,b", "c"]),
    ],
)  # fmt: skip
def test_values_with_commas_are_an_axis(text, value):
    found = parse_override(text)[1]
    assert (found, type(found)) == (value, Axis)
    for one in ("x=[1.0, 2.0]", "x='a,b'", "x=[a,b]"):  # control: a list or a string is a value
        assert not isinstance(parse_override(one)[1], Axis)


@pytest.mark.parametrize("text", ["x=8,,16", "x=a,,b", "x=,"])
def test_nothing_between_commas_is_refused(text):
    assert "between its commas" in refusal(lambda: parse_override(text))


VALUE = st.one_of(
    st.booleans(), st.integers(-(10**9), 10**9), st.floats(allow_nan=False, allow_infinity=False),
    st.text(string.ascii_letters + string.digits + " ,.[]{}'@=/%&é\"\\\n", max_size=8),
)  # fmt: skip


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    sets=st.dictionaries(
        st.sampled_from(["x", "y", "a-b.x"]),
        VALUE | st.lists(VALUE, max_size=3) | st.lists(VALUE, min_size=1, max_size=3).map(Axis),
        max_size=2,
    ),
    cases=st.lists(st.sampled_from(["one", "a@b", "c=d/e"]), max_size=1).map(tuple),
    start=st.none() | st.integers(0, 10**9),
)
@example(sets={"x": "y" * 300}, cases=(), start=None)
def test_changes_come_back_from_names_calls_and_descriptions(sets, cases, start):
    changes = Changes(sets, cases, start)
    table = f"mine{changes.ending}"
    assert len(table) <= 104
    assert "/" not in table
    words = shlex.split(changes.options)
    pairs = list(zip(words[::2], words[1::2], strict=True))
    assert dict(parse_override(text) for option, text in pairs if option == "--set") == sets
    meta = {"changes": changes.description(), "seed_start": start}
    assert Changes.described(table, meta) == changes
    name, named = split_table(table)
    assert name == "mine"
    assert named == changes or named.hidden


def test_other_changes_have_other_names():
    """Negative control of the names, also where a digest stands for them."""
    changes = [
        Changes({"x": 1}), Changes({"x": "1"}), Changes({"x": 1.0}), Changes({"x": Axis([1])}),
        Changes({"x": [1]}), Changes({"a.x": 1}), Changes(cases=("a",)), Changes(start=1),
        Changes({"x": "y" * 300}), Changes({"x": "z" * 300}), Changes(),
    ]  # fmt: skip
    assert len({change.ending for change in changes}) == len(changes)
    assert Changes({"x": 1, "y": 2}).ending == Changes({"y": 2, "x": 1}).ending
    assert sweep_words(f"mine{changes[-2].ending}") == "mine --set ..."


def test_a_setting_of_one_case_and_one_case_only(write, tmp_path):
    write(SMALL)
    path = str(tmp_path / "mine.toml")

    def chosen(sets, cases=()):
        cells = load_sweep(path, changes=Changes(sets, cases)).cells(seeds=1)
        return [(c.labels["case"], c.settings.num_experts, c.settings.converge_rate) for c in cells]

    plain = [("a", 2, 0.02), ("a", 4, 0.02), ("b", 2, 0.01), ("b", 4, 0.01)]
    assert chosen({}) == plain
    assert chosen({"b.converge_rate": 0.3}) == [*plain[:2], ("b", 2, 0.3), ("b", 4, 0.3)]
    assert chosen({}, ("b",)) == plain[2:]
    mixed = {"converge_rate": 0.5, "a.converge_rate": 0.3, "a.num_experts": 8}
    assert chosen(mixed) == [("a", 8, 0.3), ("b", 2, 0.5), ("b", 4, 0.5)]  # the case's own wins
    axis = {"b.num_experts": Axis([1, 2, 3])}
    assert chosen(axis) == [*plain[:2], ("b", 1, 0.01), ("b", 2, 0.01), ("b", 3, 0.01)]
    labels = [c.labels for c in load_sweep(path, changes=Changes({"dim": Axis([6, 8])})).cells()]
    assert {label["dim"] for label in labels} == {6, 8}
    for sets, cases, words in (
        ({"c.dim": 6}, (), "unknown case 'c' in --set"),
        ({"b.dimm": 6}, (), "unknown key 'dimm' in --set; did you mean 'dim'?"),
        ({}, ("bb",), "unknown case 'bb' in --case; did you mean 'b'?"),
    ):
        sweep = load_sweep(path, changes=Changes(sets, cases))
        assert words in refusal(sweep.cells)
    sweep = load_sweep(str(write("title = 'x'", "bare.toml").path), changes=Changes({}, ("a",)))
    assert "has no cases" in refusal(sweep.cells)


def test_settings_that_level_cases_are_said(write, tmp_path):
    write(SMALL)

    def said(sets, cases=()):
        changes = Changes(sets, cases)
        return list(levelled(load_sweep(str(tmp_path / "mine.toml"), changes=changes), "quick"))

    (line,) = said({"converge_rate": 0.5})
    assert "--set converge_rate=0.5" in line
    assert "(0.02 in a; 0.01 in b)" in line
    assert "--set a.converge_rate=0.5" in line
    (line,) = said({"loss": "logistic"})  # a default counts as well
    assert "(squared in a; logistic in b)" in line
    # controls: cases that do not differ in it, one case, a setting of one case
    assert not said({"dim": 8}) + said({"num_experts": 8}) + said({})
    assert not said({"converge_rate": 0.5}, ("a",)) + said({"a.converge_rate": 0.5})


def test_settings_that_are_left_out_of_what_is_stored_level_cases_as_well(write, tmp_path):
    """`--set dynamics=flow` of a sweep in which some cases flow and others descend."""
    from motsim.experiments.mixture.settings import LATER

    write("title = 'x'\n[case.a]\ndynamics = 'flow'\nflow_rtol = 1e-4\n[case.b]\n")

    def said(key, value):
        changes = Changes({key: value})
        return list(levelled(load_sweep(str(tmp_path / "mine.toml"), changes=changes), "quick"))

    (line,) = said("dynamics", "flow")
    assert "(flow in a; descent in b)" in line
    (line,) = said("flow_rtol", 1e-5)
    assert "(0.0001 in a; 1e-06 in b)" in line
    # control: every other one is the same default in both
    for key in LATER.keys() - {"dynamics", "flow_rtol"}:
        assert not said(key, LATER[key])


@pytest.mark.parametrize("value", ["0.1", "1e-1"])
def test_a_value_twice_in_a_grid_is_refused(write, value):
    text = f"title = 'x'\n[grid]\nconverge_rate = [0.1, 0.2, {value}]"
    message = refusal(lambda: write(text).cells())
    assert "'converge_rate': 0.1 is given twice; repetitions are seeds" in message
    assert "converge_rate = [0.1, 0.2] with seeds or --seeds" in message
    twice = "title='x'\n[case.a.grid]\nclass_amplitude=[[1.0,2.0],[1.0,2.0]]"
    assert "is given twice" in refusal(lambda: write(twice).cells())
    assert "is given twice" in refusal(lambda: write("title='x'").cells(overrides={
        "num_experts": Axis([8, 8])}))  # fmt: skip
    mixed = text.replace("0.1, 0.2", "1, 1.0")
    assert "1.0 is given twice" in refusal(lambda: write(mixed).cells())
    assert len(write(text.replace(f", {value}]", "]")).cells()) == 10  # control: once
