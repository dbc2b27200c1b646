"""From a sweep file to a list of runs; every wrong file or key is one line for the user."""

import difflib
import shlex
import string
import tomllib

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from motsim.experiments.mixture.run import Settings
from motsim.plans.levelled import levelled
from motsim.plans.loading import load_sweep, sweep_names
from motsim.plans.plan import Axis, Changes, SweepError, parse_override, split_table, sweep_words

SMALL = """
title = "Small"
seeds = 2

[fixed]
num_classes = 2
dim = 6
converge_rate = 0.01

[grid]
num_experts = [2, 4]

[case.a]
preset = "cubic"
converge_rate = 0.02

[case.b]
loss = "logistic"
[case.b.grid]
top_k = [1]

[tier.full]
seeds = 3
[tier.full.fixed]
converge_rate = 0.03
align_rate = 0.4
[tier.full.case.b]
align_rate = 0.5
"""


@pytest.fixture
def write(tmp_path):
    def to_file(text, name="mine.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return load_sweep(str(path))

    return to_file


def refusal(act):
    """The one line that the user reads."""
    with pytest.raises(SweepError) as caught:
        act()
    message = str(caught.value)
    assert message.strip() == message != ""
    assert len(message.splitlines()) == 1
    return message


# --- cells ----------------------------------------------------------------------------------------


def test_cells_are_cases_times_grid_times_seeds_in_order(write):
    sweep = write(SMALL)
    assert (sweep.name, sweep.title) == ("mine", "Small")
    labels = [cell.labels for cell in sweep.cells()]
    assert labels == [
        {"case": case, "num_experts": m, **extra, "seed": seed}
        for case, extra in (("a", {}), ("b", {"top_k": 1}))
        for m in (2, 4)
        for seed in (0, 1)
    ]
    for cell in sweep.cells():
        for name in cell.labels.keys() - {"case"}:
            assert getattr(cell.settings, name) == cell.labels[name]
    assert len({cell.key for cell in sweep.cells()}) == 8


@pytest.mark.parametrize(
    ("tier", "case", "overrides", "converge", "align"),
    [
        ("quick", "a", {}, 0.02, 0.1),  # case over fixed; the preset's align_rate
        ("quick", "b", {}, 0.01, 0.1),
        ("full", "a", {}, 0.02, 0.4),  # case over the tier's fixed
        ("full", "b", {}, 0.03, 0.5),  # the tier's case over the tier's fixed over fixed
        ("full", "b", {"converge_rate": 0.07, "align_rate": 1}, 0.07, 1.0),  # --set over all
    ],
)
def test_later_wins(write, tier, case, overrides, converge, align):
    cells = write(SMALL).cells(tier, overrides)
    chosen = [cell.settings for cell in cells if cell.labels["case"] == case]
    assert {s.converge_rate for s in chosen} == {converge}
    assert {s.align_rate for s in chosen} == {align}


def test_an_override_replaces_a_grid_axis(write):
    cells = write(SMALL).cells(overrides={"num_experts": 8})
    assert len(cells) == 4
    assert {cell.settings.num_experts for cell in cells} == {8}
    assert all("num_experts" not in cell.labels for cell in cells)


@pytest.mark.parametrize(
    ("tier", "seeds", "count"), [("quick", None, 2), ("full", None, 3), ("full", 1, 1)]
)
def test_seeds(write, tier, seeds, count):
    found = {cell.settings.seed for cell in write(SMALL).cells(tier, seeds=seeds)}
    assert found == set(range(count))


def test_a_case_may_have_seeds_of_its_own(write):
    sweep = write("title = 'x'\nseeds = 2\n[case.a]\nseeds = 4\n[case.b]\n[tier.full]\nseeds = 3\n"
                  "[tier.full.case.a]\nseeds = 5")  # fmt: skip

    def count(*options):
        cells = sweep.cells(*options)
        return {case: sum(c.labels["case"] == case for c in cells) for case in ("a", "b")}

    assert count("quick") == {"a": 4, "b": 2}
    assert count("full") == {"a": 5, "b": 3}
    assert count("quick", None, 1) == {"a": 1, "b": 1}  # a call's seeds are for all
    # equal settings are equal runs, however many there are
    keys = [[c.key for c in sweep.cells(tier) if c.labels["case"] == "a"] for tier in
            ("quick", "full")]  # fmt: skip
    assert keys[0] == keys[1][:4]


def test_seeds_start_where_the_file_or_the_call_says(write, tmp_path):
    assert {cell.settings.seed for cell in write("seed_start = 40\n" + SMALL).cells()} == {40, 41}
    moved = load_sweep(str(tmp_path / "mine.toml"), 7)
    assert {cell.settings.seed for cell in moved.cells()} == {7, 8}
    assert {cell.settings.seed for cell in moved.cells(seeds=1)} == {7}
    assert {cell.settings.seed for cell in write(SMALL).cells()} == {0, 1}  # control: neither says


@pytest.mark.parametrize(
    ("of_file", "asked", "table"),
    [
        (0, None, "mine"), (0, 0, "mine"), (0, 1000, "mine@seed_start=1000"),
        (40, None, "mine"), (40, 40, "mine"), (40, 0, "mine@seed_start=0"),
    ],
)  # fmt: skip
def test_tables_of_moved_seeds_have_a_name_of_their_own(write, tmp_path, of_file, asked, table):
    write(f"seed_start = {of_file}\n{SMALL}")
    path = str(tmp_path / "mine.toml")
    sweep = load_sweep(path, asked)
    assert (sweep.name, sweep.table, sweep.moved) == ("mine", table, table != "mine")
    option = f" --seed-start {asked}" if sweep.moved else ""
    assert sweep.argument == path + option
    assert split_table(table) == ("mine", Changes(start=asked if sweep.moved else None))
    assert sweep_words(table) == f"mine{option}"


@pytest.mark.parametrize("start", [-1, 1_000_000_001])
def test_seeds_that_cannot_be_are_refused(write, tmp_path, start):
    write(SMALL)
    assert "seeds start at 0 to" in refusal(lambda: load_sweep(str(tmp_path / "mine.toml"), start))
    assert "seed_start" in refusal(lambda: write(f"seed_start = {start}\n{SMALL}"))
    write("seed_start = 1_000_000_000\n" + SMALL).cells()  # control: the last one


def test_names_that_only_look_like_moved_tables():
    for name in ("mine@seed_start=", "mine@seed_start=x", "@seed_start=3", "a@b", "mine"):
        assert split_table(name) == (name, Changes())


def test_a_grid_axis_wins_over_a_case(write):
    sweep = write('title="t"\nseeds=1\n[grid]\nnum_experts=[2,3]\n[case.a]\nnum_experts=5')
    assert [cell.settings.num_experts for cell in sweep.cells()] == [2, 3]


@pytest.mark.parametrize("name", sweep_names())
@pytest.mark.parametrize("tier", ["quick", "full"])
def test_shipped_sweeps_are_valid(name, tier):
    sweep = load_sweep(name)
    cells = sweep.cells(tier)
    assert cells
    assert len({(cell.key, str(cell.labels)) for cell in cells}) == len(cells)


# --- refusals -------------------------------------------------------------------------------------

BAD = {
    "key in fixed": ("[fixed]\nnum_expert = 4", ["'num_expert'", "did you mean 'num_experts'?"]),
    "key in grid": ("[grid]\nnum_expert = [4]", ["'num_expert'", "[grid]", "'num_experts'"]),
    "key in case": ("[case.a]\nlos = 'squared'", ["'los'", "'loss'"]),
    "key in a case's grid": ("[case.a.grid]\nlos = ['squared']", ["'los'", "'loss'"]),
    "key in tier": ("[tier.quick.fixed]\ndimm = 8", ["'dimm'", "'dim'"]),
    "wrong case": ("[fixed]\nNUM_EXPERTS = 8", ["'NUM_EXPERTS'", "'num_experts'"]),
    "seed": ("[fixed]\nseed = 1", ["'seed'", "--seeds"]),
    "table": ("[fixd]\ndim = 8", ["fixd", "did you mean 'fixed'?"]),
    "table in tier": ("[tier.quick.gird]\ndim = [8]", ["gird", "did you mean 'grid'?"]),
    "tier": ("[tier.fast]\nseeds = 1", ["tier.fast", "'quick' or 'full'"]),
    "kind": ("kind = 'mixtures'", ["kind must be one of", "mixture", "'mixtures'"]),
    "case of tier": ("[case.abc]\n[tier.quick.case.abd]", ["tier.quick.case.abd", "'abc'"]),
    "case of tier with a line end": ('[case.abc]\n[tier.quick.case."x\\ny"]', ["tier.quick.case"]),
    "table with a line end": ('"fixd\\nx" = 1', ["fixd"]),
    "empty axis": ("[grid]\ndim = []", ["'dim'", "is empty"]),
    "axis not a list": ("[grid]\ndim = 8", ["grid.dim", "list"]),
    "case grid not a table": ("[case.a]\ngrid = 3", ["[case.a.grid]", "lists"]),
    "case axis not a list": ("[case.a.grid]\ndim = 8", ["[case.a.grid]", "lists"]),
    "case axis a string": ("[case.a.grid]\nloss = 'squared'", ["[case.a.grid]", "lists"]),
    "case seeds": ("[case.a]\nseeds = 0", ["[case.a]", "seeds", ">= 1", "got 0"]),
    "case seeds a bool": ("[case.a]\nseeds = true", ["[case.a]", "seeds", "True"]),
    "case seeds a float": ("[case.a]\nseeds = 2.5", ["[case.a]", "seeds", "2.5"]),
    "seeds in fixed": ("[fixed]\nseeds = 3", ["'seeds'"]),
    "grid in fixed": ("[fixed]\ngrid = 3", ["'grid'"]),
    "seeds": ("seeds = 0", ["seeds", "greater than or equal to 1"]),
    "seeds a bool": ("seeds = true", ["seeds", "integer"]),
    "seed_start": ("seed_start = -1", ["seed_start", "greater than or equal to 0"]),
    "seed_start a float": ("seed_start = 1.5", ["seed_start", "integer"]),
    "seed_start misspelt": ("seed_stat = 1", ["did you mean 'seed_start'?"]),
    "seed_start in tier": ("[tier.full]\nseed_start = 1", ["seed_start"]),
    "too many": ("seeds = 2000\n[grid]\nnum_experts = [1,2,3]\n" + "\n".join(
        f"{k} = [{','.join(str(i + 1) for i in range(20))}]" for k in ("num_neurons", "num_nodes")
    ), ["2,400,000 runs", "at most 1,000,000"]),
    "title": ("titel = 'x'", ["titel", "'title'"]),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_file_is_one_line_with_the_file_and_the_key(write, name):
    text, words = BAD[name]
    message = refusal(lambda: write(f"title = 'x'\n{text}").cells())
    for word in ("mine.toml", *words):
        assert word in message


VALUES = [
    ("num_classes = 1", "num_classes must be >= 2; got 1"),
    ("dim = 7", "dim must be >= 8 (2 * num_classes); got 7"),
    ("num_tokens = 2", "num_tokens must be >= 3; got 2"),
    ("similarity = 1.0", "similarity must be in [-0.333333, 1) for num_classes = 4; got 1"),
    ("similarity = -0.4", "similarity must be in [-0.333333, 1)"),
    ("similarity = nan", "similarity = nan: Input should be a finite number"),
    ("class_amplitude = []", "class_amplitude"),
    ("class_amplitude = [1.0]", "class_amplitude"),
    ("distractor_amplitude = [3.0, 1.0]", "distractor_amplitude must satisfy 0 < low <= high"),
    ("signal_amplitude = ['1', 2.0]", "signal_amplitude.0 = '1'"),
    ("converge_rate = -0.01", "converge_rate must be >= 0; got -0.01"),
    ("gate_rate = -1.0", "gate_rate must be >= 0; got -1"),
    ("converge_rate = '0.01'", "converge_rate = '0.01': Input should be a valid number"),
    ("converge_rate = inf", "converge_rate = inf: Input should be a finite number"),
    ("converge_rate = true", "converge_rate = True: Input should be a valid number"),
    ("num_experts = 0", "num_experts must be >= 1; got 0"),
    ("num_experts = -1", "num_experts must be >= 1; got -1"),
    ("num_experts = 2.5", "num_experts = 2.5: Input should be a valid integer"),
    ("num_experts = true", "num_experts = True: Input should be a valid integer"),
    ("top_k = 17", "top_k must be <= num_experts = 16; got 17"),
    ("top_k = 2", "routing 'expected' needs top_k = 1; got top_k = 2"),
    ("epsilon_min = 0.0", "0 < epsilon_min < epsilon_max < 1; got 0 and 0.1"),
    ("epsilon_min = 0.5", "0 < epsilon_min < epsilon_max < 1; got 0.5 and 0.1"),
    ("epsilon_max = 1.0", "0 < epsilon_min < epsilon_max < 1"),
    ("epsilon_min = -1e-3", "0 < epsilon_min < epsilon_max < 1"),
    ("epsilon_min = '1e-3'", "epsilon_min = '1e-3': Input should be a valid number"),
    ("init_std = 0.0", "init_std must be > 0"),
    ("attention_scale = -1.0", "attention_scale >= 0"),
    ("noise_std = -1.0", "noise_std must be finite and >= 0; got -1"),
    ("noise_replicates = 3", "noise_replicates must be 1 or even; got 3"),
    ("routing_noise = 'uniform'", "closed form for 'gumbel' noise only"),
    ("converge_routing_scale = 0.0", "routing_scale must be finite and > 0"),
    ("load_balance = -1.0", "load_balance must be finite and >= 0"),
    ("model = 'mix'", "model = 'mix': Input should be 'mot', 'single', 'moe' or 'shared'"),
    ("preset = 'cube'", "preset = 'cube': Input should be 'cubic', 'linear' or 'single'"),
    ("preset = ['cubic']", "preset = ['cubic']: Input should be"),
    ("specialize_steps = -1", "specialize_steps = -1: Input should be greater than or equal to 0"),
    ("num_nodes = 0", "num_nodes = 0: Input should be greater than or equal to 1"),
    ("dim = 1_000_000_000_000", "num_classes x dim must be at most"),
    ("dim = 1" + "0" * 400, "dim"),
    ("similarity = 1" + "0" * 400, "similarity"),
    ("dim = 1" + "0" * 5000, "not readable as TOML"),
    ("dim = " + "[" * 5000 + "]" * 5000, "not readable as TOML"),
    ("dim = 1979-05-27", "dim = datetime.date(1979, 5, 27): Input should be a valid integer"),
]


@pytest.mark.parametrize(("line", "rule"), VALUES, ids=lambda v: v[:40])
def test_a_bad_value_is_one_line_with_the_file_and_the_rule(write, line, rule):
    message = refusal(lambda: write(f"title = 'x'\n[fixed]\n{line}").cells())
    assert rule in message
    assert "mine.toml" in message
    assert len(message) < 800


def test_good_values_are_not_refused(write):
    """Negative control of the tables above: the smallest change makes each file valid."""
    lines = ["num_classes = 2", "dim = 8", "similarity = 0.99", "num_experts = 1", "top_k = 1"]
    for line in [*lines, "epsilon_min = 0.09", "noise_replicates = 2", "converge_rate = 0"]:
        assert write(f"title = 'x'\n[fixed]\n{line}").cells()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"title = ", ["at end of document"]),
        (b"title = 'x'\ndim = = 3", ["line 2, column 7"]),
        (b"title = '\xff'", ["utf-8"]),
        (b"", ["title", "Field required"]),
        (b"title = 3", ["title", "valid string"]),
    ],
)
def test_unreadable_files(write, content, words):
    message = refusal(lambda: write(content))
    for word in ("mine.toml", *words):
        assert word in message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ratse", ["unknown sweep 'ratse'", "did you mean 'rates'?"]),
        ("no/such/file.toml", ["no/such/file.toml: no such file"]),
        ("x" * 300, ["File name too long"]),
        ("x" * 300 + ".toml", ["File name too long"]),
        ("", ["unknown sweep ''"]),
    ],
    ids=lambda v: str(v)[:20],
)
def test_missing_sweeps(name, words):
    message = refusal(lambda: load_sweep(name))
    for word in words:
        assert word in message


def test_a_folder_is_no_sweep(tmp_path):
    (tmp_path / "folder.toml").mkdir()
    assert "folder.toml" in refusal(lambda: load_sweep(str(tmp_path / "folder.toml")))


FIELDS = sorted(set(Settings.model_fields) - {"seed"})
TYPOS = {
    "deletion": lambda w: w[: len(w) // 2] + w[len(w) // 2 + 1 :],
    "swap": lambda w: w[:1] + w[2] + w[1] + w[3:] if w[1] != w[2] else w[1] + w[0] + w[2:],
    "case": str.upper,
}


@pytest.mark.parametrize("typo", TYPOS)
def test_every_misspelt_key_is_refused_with_the_right_one(write, typo):
    sweep = write("title = 'x'")
    right = 0
    for field in FIELDS:
        word = TYPOS[typo](field)
        assert word not in FIELDS
        message = refusal(lambda word=word: sweep.cells(overrides={word: 1}))
        assert f"unknown key {word!r} in --set" in message
        right += f"did you mean {field!r}?" in message
    assert right >= 0.95 * len(FIELDS)


# --- overrides ------------------------------------------------------------------------------------


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


# --- anything else --------------------------------------------------------------------------------


def check_never_another_exception(folder, content):
    path = folder / "mutant.toml"
    path.write_bytes(content)
    message = "mutant.toml"
    try:
        assert load_sweep(str(path)).cells("full")
    except SweepError as refused:
        message = str(refused)
    assert "\n" not in message
    assert "mutant.toml" in message


PIECES = ["=", "[", "]", "'", '"', "\n", "0", "-", "1e400", "nan", "true", "[[1]]", "{a=1}", "\\n"]
PIECES += ["grid", "case", "tier", "fixed", "seeds", "preset", "1979-05-27", "\x00", "\udcff", "é"]


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(SMALL)), st.integers(0, 12), st.sampled_from(PIECES)),
        min_size=1,
        max_size=4,
    )
)
@example(edits=[(0, 0, "\ufeff")])
def test_a_mutated_file_never_gives_another_exception(tmp_path, edits):
    text = SMALL
    for place, length, piece in edits:
        text = text[:place] + piece + text[place + length :]
    check_never_another_exception(tmp_path, text.encode("utf-8", "surrogateescape"))


TOML_VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(allow_nan=True, allow_infinity=True),
        st.text(string.ascii_letters + " \n'é", max_size=8),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def as_toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\n", "\\n") + '"'
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    return repr(value)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    values=st.dictionaries(
        st.one_of(st.sampled_from([*FIELDS, "seeds", "grid"]), st.text("ab\n.", max_size=3)),
        TOML_VALUES,
        min_size=1,
        max_size=2,
    ),
    table=st.sampled_from(["[fixed]", "[grid]", "[case.a]", "[case.a.grid]", "[tier.full]", ""]),
)
def test_random_values_never_give_another_exception(tmp_path, values, table):
    lines = [f"{as_toml(key)} = {as_toml(value)}" for key, value in values.items()]
    text = "title = 'x'\n" + "\n".join([table, *lines])
    tomllib.loads(text)
    check_never_another_exception(tmp_path, text.encode())


def test_mutants_are_mostly_refused():
    """Negative control of the helpers: the typos are near their words, and words differ."""
    for field in FIELDS:
        for typo in TYPOS.values():
            assert difflib.SequenceMatcher(None, typo(field).lower(), field).ratio() > 0.5


#: Cases of two sweeps that are the same runs, computed and stored once.
SAME = [
    ("rates", "mot-squared", "rate-mot", "cubic"),
    ("rates", "mot-squared", "rate-matrix", "mot-squared-gd"),
    ("rates", "mot-linear-squared", "rate-mot", "linear"),
    ("rates", "mot-linear-squared-untrained-attention", "last-stage", "linear-untrained"),
    ("rates", "mot-logistic", "rate-matrix", "mot-logistic-gd"),
    ("rates", "single-4-squared", "rate-matrix", "single-squared-gd"),
    ("rates", "single-4-squared", "rate-single", "single-4-squared"),
    ("rates", "single-4-logistic", "rate-matrix", "single-logistic-gd"),
    ("rates", "single-16-squared", "rate-single", "single-16-squared"),
    ("rate-mot", "logistic-normalized", "rate-matrix", "mot-logistic-ngd"),
]


def keys_of(name, case):
    return {cell.key for cell in load_sweep(name).cells(seeds=2) if cell.labels["case"] == case}


@pytest.mark.parametrize(("name", "case", "other", "another"), SAME)
def test_cases_of_two_sweeps_share_their_runs(name, case, other, another):
    """A setting of one of them alone, if only of what is kept, would compute them twice."""
    assert keys_of(name, case) & keys_of(other, another)
    keys = {c.key for c in load_sweep(other, changes=Changes({"curve_points": 7})).cells(seeds=2)}
    assert not keys & keys_of(name, case)  # control
