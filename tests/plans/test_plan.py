"""From a sweep file to a list of runs."""

import pytest

from motsim.plans.loading import load_sweep, sweep_names
from motsim.plans.plan import Changes, split_table, sweep_words
from tests.plans.wrong_files import SMALL, refusal


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
    ("rates", "mot-logistic", "rate-mot", "logistic"),
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
