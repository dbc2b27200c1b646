"""What a gradient flow cannot do is refused, with what it can; and how settings say flow."""

from dataclasses import replace

import pytest

from motsim.experiments.mixture.run import Settings, stages
from motsim.mixture.schedule import Solver
from motsim.mixture.training import train
from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError
from tests.mixture.problems import SHORT, problem

FLOW = {"preset": "cubic", "dynamics": "flow"}
TWO = [replace(SHORT[1], dynamics="flow"), SHORT[2]]
CONVERGE = "dynamics 'flow' of stage 'converge' needs "
#: What is asked for -> the whole message: the rule, the value, and the nearest that is possible.
REFUSED = {
    "normalized descent": (
        {"converge_optimizer": "normalized_gd"},
        CONVERGE + "optimizer 'gd'; got 'normalized_gd' for ffn: use 'gd', or dynamics 'descent'",
    ),
    "adam": (
        {"converge_optimizer": "adam", "schedule": "two_stage"},
        "dynamics 'flow' of stage 'joint' needs optimizer 'gd'; got 'adam' for ffn: use 'gd', or"
        " dynamics 'descent'",
    ),
    "sampled routing": (
        {"routing": "sampled"},
        CONVERGE + "routing 'expected'; got 'sampled': use 'expected', or dynamics 'descent'",
    ),
    "attention in single precision": (
        {"kept_attention": "single"},
        CONVERGE + "kept_attention 'double'; got 'single': use 'double', or dynamics 'descent'",
    ),
    "two experts at a time": (
        {"top_k": 2, "routing": "sampled"},
        CONVERGE + "top_k 1; got 2: use 1, or dynamics 'descent' with routing 'sampled'",
    ),
    "nothing that trains": (
        {"converge_rate": 0.0, "gate_rate": 0.0},
        CONVERGE + "a step size > 0; got 0 for ffn, attention, gate: use one > 0 for ffn, or"
        " dynamics 'descent'",
    ),
    "no time": ({"converge_steps": 0}, CONVERGE + "0 < steps <= 1e16; got 0: use 1"),
    "more time than floats count": (
        {"converge_steps": 10**17},
        CONVERGE + f"0 < steps <= 1e16; got {10**17}: use 1e16, which is {9 * 10**16} fewer",
    ),
    "half a step": ({"converge_steps": 1.5}, "must be a whole number; got 1.5: use 2"),
    "a large tolerance": (
        {"flow_rtol": 0.5}, "flow_rtol must be between 1e-13 and 0.01; got 0.5: use 0.01",
    ),
    "a small tolerance": (
        {"flow_rtol": 1e-15}, "flow_rtol must be between 1e-13 and 0.01; got 1e-15: use 1e-13",
    ),
    "no error": ({"flow_atol": 0.0}, "flow_atol must be > 0 and <= 0.01; got 0.0: use 3e-14"),
    "any error": ({"flow_atol": 1.0}, "flow_atol must be > 0 and <= 0.01; got 1.0: use 0.01"),
    "new samples": (
        {"new_samples": 8},
        "new_samples needs dynamics 'descent'; got 'flow': use 'descent', or new_samples 0",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_refusal_names_the_rule_the_value_and_what_is_possible(name):
    asked, message = REFUSED[name]
    with pytest.raises(ValueError, match="Value error") as refused:
        Settings(**{**FLOW, **asked})
    assert refused.value.errors()[0]["msg"] == f"Value error, {message}"


#: What is refused and what its message offers instead, which must pass.
OFFERED = {
    "sampled routing": {"routing": "expected"},
    "attention in single precision": {"kept_attention": "double"},
    "two experts at a time": {"top_k": 1, "routing": "expected"},
    "normalized descent": {"converge_optimizer": "gd"},
    "nothing that trains": {"converge_rate": 0.1},
    "no time": {"converge_steps": 1},
    "more time than floats count": {"converge_steps": 1e16},
    "half a step": {"converge_steps": 2},
    "a small tolerance": {"flow_rtol": 1e-13},
    "a large tolerance": {"flow_rtol": 0.01},
    "no error": {"flow_atol": 3e-14},
    "any error": {"flow_atol": 0.01},
    "new samples": {"new_samples": 0},
}


@pytest.mark.parametrize("name", OFFERED)
def test_what_a_refusal_offers_is_taken(name):
    settings = Settings(**{**FLOW, **REFUSED[name][0], **OFFERED[name]})
    assert stages(settings)[-1].dynamics == "flow"


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ('dynamics = "flo"', "Input should be 'descent' or 'flow'; did you mean 'flow'?"),
        ('flow_method = "RADAU"', "'LSODA', 'BDF' or 'Radau'; did you mean 'Radau'?"),
        ('flow_method = "RK45"', "flow_method = 'RK45': Input should be 'LSODA', 'BDF' or 'Radau'"),
    ],
)
def test_a_sweep_file_is_told_the_nearest_word(tmp_path, asked, message):
    path = tmp_path / "deep.toml"
    path.write_text(f'title = "deep"\nkind = "mixture"\nseeds = 2\n[fixed]\n{asked}\n')
    with pytest.raises(SweepError) as refused:
        load_sweep(str(path)).cells()
    assert str(refused.value).endswith(message)


def test_only_the_last_stage_flows():
    model, points, start = problem()
    with pytest.raises(ValueError, match="needs the last stage; got stage 1 of 2: use 'converge'"):
        train(model, points, TWO, start)
    with pytest.raises(ValueError, match="dynamics must be one of descent, flow; got 'flo'; did"):
        replace(SHORT[1], dynamics="flo")


@pytest.mark.parametrize("options", [{}, {"routing": "sampled", "preset": "single"}])
def test_what_a_flow_can_do_is_not_refused(options):
    """Routing means nothing without a gate, normalized descent nothing before the last stage."""
    settings = Settings(**{**FLOW, **options})
    assert stages(settings)[-1].dynamics == "flow"
    assert stages(settings)[-1].solver == Solver()


# --- settings -------------------------------------------------------------------------------------


def test_steps_of_a_flow_may_be_written_as_a_power_of_ten():
    assert Settings(**FLOW, converge_steps=1e16).converge_steps == 10**16
    assert stages(Settings(**FLOW, converge_steps=1e12))[-1].steps == 10**12


def test_defaults_are_left_out_of_keys():
    """Runs that were stored before there were flows have the settings that they had."""
    later = {"dynamics", "flow_method", "flow_rtol", "flow_atol"}
    assert not later & Settings().model_dump().keys()
    assert Settings(**FLOW).model_dump().keys() & later == {"dynamics"}
    again = Settings(**Settings(**FLOW, flow_rtol=1e-8).model_dump())
    assert again == Settings(**FLOW, flow_rtol=1e-8)


def test_a_sweep_file_can_say_flow(tmp_path):
    path = tmp_path / "deep.toml"
    path.write_text(
        'title = "deep"\nkind = "mixture"\nseeds = 2\n[fixed]\npreset = "cubic"\n'
        '[case.descent]\n[case.flow]\ndynamics = "flow"\nconverge_steps = 1e16\n'
    )
    descent, _, flow, _ = load_sweep(str(path)).cells()
    assert flow.settings.converge_steps == 10**16
    assert stages(flow.settings)[-1].dynamics == "flow"
    assert flow.key != descent.key
    assert flow.cost < 3600  # not that of as many steps
    path.write_text(path.read_text() + 'routing = "sampled"\n')
    with pytest.raises(SweepError, match="'converge' needs routing 'expected'; got 'sampled'"):
        load_sweep(str(path)).cells()
