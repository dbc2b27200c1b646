"""What Python calls return and show: tables, a trace's frame and picture, short reprs."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import motsim
from motsim.mixture.trace import StageBounds, Trace
from motsim.plans.file import SweepError
from motsim.results.tables import load_tables
from motsim.sweep import main

CALL = {"settings": {"repetitions": 2}, "seeds": 1, "cases": ["two-tasks"], "jobs": 1}
WORDS = ["--set", "repetitions=2", "--seeds", "1", "--case", "two-tasks", "--jobs", "1"]


@pytest.fixture
def trace():
    model, mixture = motsim.Model("mot", 2), motsim.Mixture(2, 4, 3)
    points = motsim.population(mixture, motsim.make_signals(mixture), num_nodes=1)
    start = motsim.initial_parameters(model, 4, init_std=0.1, attention_scale=1.0)
    part = motsim.Descent(0.1)
    stages = [motsim.Stage("first", 20, ffn=part), motsim.Stage("second", 30, ffn=part, gate=part)]
    return motsim.train(model, points, stages, start, epsilons=[1e-3])


def test_a_sweep_called_from_python_is_that_of_the_command(tmp_path):
    found = motsim.sweep("rehearsal-memory", out=tmp_path / "called", **CALL)
    words = ["rehearsal-memory", *WORDS, "--out", str(tmp_path / "command")]
    assert main([*words, "--progress", "quiet", "--no-figure"]) == 0
    (name,) = (path.stem for path in (tmp_path / "command").glob("*.json"))
    kept = load_tables(name, tmp_path / "command")
    pd.testing.assert_frame_equal(found.main, kept.main)
    assert found.name == name
    other = motsim.sweep("rehearsal-memory", out=tmp_path / "other", seed_start=5, **CALL)
    assert not other.main["forgetting"].equals(found.main["forgetting"])  # control


def test_the_module_of_the_command_is_the_same_call(tmp_path):
    import motsim.sweep as module

    with pytest.raises(SweepError, match="rehearsal-memory"):
        module("rehearsal-memori", out=tmp_path)
    assert not any(tmp_path.iterdir())
    assert motsim.sweep is module


@pytest.mark.parametrize(
    ("option", "value", "said"), [("tier", "fulll", "full"), ("progress", "bars", "bar")]
)
def test_a_wrong_word_is_refused(tmp_path, option, value, said):
    with pytest.raises(ValueError, match=f"{option} must be .*{said}"):
        motsim.sweep("rehearsal-memory", out=tmp_path / "none", **{option: value})
    assert not (tmp_path / "none").exists()


def test_the_frame_of_a_trace_holds_its_curve(trace):
    frame = trace.frame()
    np.testing.assert_array_equal(frame["loss"], trace.trace_losses)
    assert list(frame["stage"].unique()) == ["first", "second"]
    assert set(frame.loc[frame["step"] <= 20, "stage"]) == {"first"}
    assert set(frame.loc[frame["step"] > 20, "stage"]) == {"second"}


def test_the_picture_of_a_trace_shows_its_curve(trace, tmp_path):
    figure = trace.plot(tmp_path / "loss.png")
    assert isinstance(figure, Figure)
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), trace.trace_losses)
    assert [text.get_text().strip() for text in axes.texts] == ["first", "second"]
    assert (tmp_path / "loss.png").stat().st_size > 1000


def test_reprs_are_short(trace):
    model, mixture = motsim.Model("mot", 2), motsim.Mixture(2, 4, 3)
    points = motsim.population(mixture, motsim.make_signals(mixture), num_nodes=1)
    seen = motsim.evaluate(model, trace.parameters, points)
    for thing in (trace, trace.parameters, points, seen):
        text = repr(thing)
        assert text.startswith(type(thing).__name__ + "(")
        assert len(text) < 1200
        assert "[" not in text.replace("[None]", "") or "array(" in text
    assert "attention=array(2, 4, 4)" in repr(trace.parameters)


def test_tables_say_what_they_hold(tmp_path):
    found = motsim.sweep("rehearsal-memory", out=tmp_path, **CALL)
    assert repr(found).startswith(f"Tables({found.name}, quick tier: {len(found.main)} rows of ")
    assert "<table" in found._repr_html_()
    assert found._repr_html_().count("<tr") == 1 + min(10, len(found.main))


def test_a_trace_without_stages_has_a_frame(trace):
    none = {"stages": (), "trace_steps": np.arange(2), "trace_losses": np.ones(2)}
    bare = Trace(**{name: getattr(trace, name) for name in trace.__dataclass_fields__} | none)
    assert list(bare.frame()["stage"]) == ["", ""]
    assert StageBounds("a", 0, 1).stop == 1
