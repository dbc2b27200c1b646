"""Every wrong file, key or value is one line for the user."""

import pytest

from motsim.plans.loading import load_sweep
from tests.plans.wrong_files import FIELDS, TYPOS, refusal

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
