"""The Jacobian of a flow's field against central differences of the engine's own gradients."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from motsim.experiments.mixture.run import Settings, prepare, stages
from motsim.mixture import flow_jacobian, training
from motsim.mixture.engine.layout import kernel_rule
from motsim.mixture.engine.reduction import reduce_problem
from motsim.mixture.flow import integrate
from motsim.mixture.flow_path import Path
from motsim.mixture.model import Model, Routing
from motsim.mixture.schedule import FROZEN, Descent, Solver, Stage
from tests.mixture.problems import problem

EXACT = 1e-8  # of the largest number; differences have 1e-10 to 1e-9
RATES = (0.02, 0.1, 0.5)


class Caught(Exception):
    """The field of a flow that would begin now."""


def field_of(monkeypatch, model, points, start, schedule, loss="squared", **options):
    """The field and state with which training would begin the flow."""

    def caught(field, state, *_, **__):
        raise Caught(field, state)

    monkeypatch.setattr(training, "integrate", caught)
    with pytest.raises(Caught) as found:
        training.train(model, points, schedule, start, loss=loss, **options)
    return found.value.args


def flowing(ffn=True, attention=True, gate=True, **routing):
    parts = (ffn, attention, gate)
    rates = [Descent(rate) if on else FROZEN for rate, on in zip(RATES, parts, strict=True)]
    return [Stage("last", 100, *rates, Routing(**({"scale": 0.3} | routing)), "flow")]


def moved(field, state, by=0.3, seed=0):
    """A place off the start, where nothing vanishes by accident."""
    return state + by * np.random.default_rng(seed).standard_normal(len(state))


def differences(field, state):
    return Path(field, None, np.ones(1), Solver(), np.zeros(1, dtype=int)).differences(state)


def gap(found, want):
    return np.abs(found - want).max() / np.abs(want).max()


def check(field, state):
    place = moved(field, state)
    found, want = field.jacobian(place), differences(field, place)
    assert found.shape == (len(state), len(state))
    assert gap(found, want) < EXACT
    # Negative control: a hundredth of a tenth of its rows is seen.
    wrong = found.copy()
    wrong[::10] *= 1.01
    assert gap(wrong, want) > 10 * EXACT
    return found


KINDS = ["mot", "single", "moe", "shared"]
PARTS = {
    "all": {},
    "frozen attention": {"attention": False},
    "attention alone": {"ffn": False, "gate": False},
    "frozen gate": {"gate": False},
    "gate alone": {"ffn": False, "attention": False},
}
#: What a kind does not have cannot train alone.
MISSING = {("single", "gate alone"), ("moe", "attention alone")}
CASES = [
    case
    for case in product(KINDS, ["linear", "cubic"], ["squared", "logistic"], PARTS)
    if (case[0], case[3]) not in MISSING
]


@pytest.mark.parametrize(("kind", "activation", "loss", "parts"), CASES)
def test_every_model_loss_and_part(monkeypatch, kind, activation, loss, parts):
    model, points, start = problem(Model(kind, 3, activation))
    field, state = field_of(monkeypatch, model, points, start, flowing(**PARTS[parts]), loss)
    found = check(field, state)
    whole = found / -field.rates[:, None]  # the derivative of a gradient is symmetric
    if kind == "single" or parts in ("attention alone", "frozen gate"):
        assert gap(whole, whole.T) < 1e-13
    else:  # what is held constant in the field, the routing, makes it none
        assert gap(whole, whole.T) > 1e-4


MORE = {
    "several neurons": (Model("mot", 3, "cubic", num_neurons=2), {}, {}),
    "heads of several neurons": (Model("single", 2, "linear", num_neurons=3), {}, {}),
    "noise tokens": (Model("mot", 3, "cubic"), {"num_tokens": 5, "noise_std": 0.4}, {}),
    "noise tokens, heads": (Model("single", 3, "linear"), {"num_tokens": 4, "noise_std": 0.4}, {}),
    "noise tokens, frozen": (
        Model("shared", 3, "linear"), {"num_tokens": 5, "noise_std": 0.4}, {"attention": False}
    ),
    "similar signals": (Model("mot", 3, "cubic"), {"similarity": 0.4}, {}),
    "similar signals, heads": (Model("single", 3, "cubic"), {"similarity": 0.4}, {}),
    "similar signals, frozen": (Model("moe", 3, "linear", num_neurons=2), {"similarity": -0.3}, {}),
    "load balance": (Model("mot", 3, "cubic"), {}, {"load_balance": 0.3}),
    "load balance, similar": (Model("moe", 3, "linear"), {"similarity": 0.4}, {"load_balance": 1}),
    "routing of scale 1": (Model("mot", 3, "linear"), {}, {"scale": 1.0}),
    "sharp routing": (Model("mot", 6, "cubic"), {}, {"scale": 0.003, "attention": False}),
    "one expert": (Model("mot", 1, "cubic"), {}, {}),
}  # fmt: skip


@pytest.mark.parametrize("loss", ["squared", "logistic"])
@pytest.mark.parametrize("name", MORE)
def test_more_models_points_and_routings(monkeypatch, name, loss):
    model, mixture, how = MORE[name]
    model, points, start = problem(model, **mixture)
    check(*field_of(monkeypatch, model, points, start, flowing(**how), loss))


@pytest.mark.parametrize("name", ["similar signals, heads", "noise tokens", "load balance"])
def test_points_a_few_at_a_time(monkeypatch, name):
    model, mixture, how = MORE[name]
    model, points, start = problem(model, **mixture)
    field, state = field_of(monkeypatch, model, points, start, flowing(**how))
    whole = field.jacobian(state)
    monkeypatch.setattr(flow_jacobian, "AT_A_TIME", 500)
    sizes = []
    added = flow_jacobian.FieldJacobian.experts

    def counted(self, value, some):
        sizes.append(some)
        return added(self, value, some)

    monkeypatch.setattr(flow_jacobian.FieldJacobian, "experts", counted)
    assert gap(field.jacobian(state), whole) < 1e-13
    assert len(sizes) > 1


@pytest.mark.parametrize("use_mirror", [True, False])
@pytest.mark.parametrize("preset", ["cubic", "linear"])
def test_presets_after_their_stages(monkeypatch, preset, use_mirror):
    """Odd coordinates and half the points; experts that routing passes over."""
    settings = Settings(preset=preset, num_experts=8, specialize_steps=200, align_steps=20,
                        dynamics="flow", dim=12, num_classes=3)  # fmt: skip
    points, start = prepare(settings)
    model = Model("mot", 8, preset)
    field, state = field_of(
        monkeypatch, model, points, start, stages(settings), use_mirror=use_mirror
    )
    place = state * (1.0 + 0.01 * np.random.default_rng(0).standard_normal(len(state)))
    assert gap(field.jacobian(place), differences(field, place)) < EXACT


def test_by_hand():
    """One point, one token, one linear expert: f = w x, half the square of f - y."""
    batch = reduce_problem(*_one_point()).batch
    model, points, start = _one_point()
    rule = kernel_rule(model, "squared", Routing())
    columns = {"ffn": np.array([0]), "attention": np.arange(0), "gate": np.arange(0)}
    value = reduce_problem(model, points, start).project(start)
    found = flow_jacobian.FieldJacobian(batch, rule, columns)(value)
    np.testing.assert_allclose(found, [[9.0]], rtol=1e-14)  # x^2


def _one_point():
    model, points, start = problem(Model("single", 1, "linear"))
    token = 3.0 * points.signals.class_signals[:1]
    one = replace(
        points, tokens=token[None], labels=np.ones(1), weights=np.ones(1),
        classes=np.zeros(1, dtype=int), distractors=np.ones(1, dtype=int), mirrored=False,
    )  # fmt: skip
    return model, one, start


TIMES = {
    "heads": (Model("single", 3, "linear"), {}),
    "routed": (Model("mot", 3, "cubic"), {"attention": False, "scale": 0.05}),
}


@pytest.mark.parametrize("name", TIMES)
def test_a_perturbed_jacobian_costs_and_changes_no_time(monkeypatch, name):
    model, how = TIMES[name]
    model, points, start = problem(model)
    field, state = field_of(monkeypatch, model, points, start, flowing(**how))
    targets = 10.0 ** -np.arange(1.0, 4.0, 0.25)

    def run(jacobian):
        return integrate(
            field, state, 1e9, targets, solver=Solver("BDF"), rates=field.rates, jacobian=jacobian
        )

    noise = np.random.default_rng(0).standard_normal((len(state),) * 2)
    exact = run(field.jacobian)
    others = {
        "differences": run(None),
        "scaled": run(lambda s: 0.7 * field.jacobian(s)),
        "perturbed": run(lambda s: field.jacobian(s) * (1.0 + 0.2 * noise)),
    }
    reached = np.isfinite(exact.hitting_times)
    assert reached.sum() >= 3
    for other in others.values():
        np.testing.assert_array_equal(np.isfinite(other.hitting_times), reached)
        np.testing.assert_allclose(
            other.hitting_times[reached], exact.hitting_times[reached], rtol=1e-4
        )
    for cheap in ("scaled", "perturbed"):
        assert others[cheap].cost.evaluations > exact.cost.evaluations
    assert others["differences"].cost.evaluations > exact.cost.evaluations + 2 * len(state)
    # Negative control: a field that is a hundredth off does change them.
    wrong = integrate(
        lambda s: (field(s)[0], 1.01 * field(s)[1]), state, 1e9, targets,
        solver=Solver("BDF"), rates=field.rates, jacobian=field.jacobian,
    )  # fmt: skip
    assert np.abs(wrong.hitting_times[reached] / exact.hitting_times[reached] - 1).max() > 1e-3


@pytest.mark.parametrize("tokens", [3, 4])
def test_what_no_point_moves_is_no_state(monkeypatch, tokens):
    """A number of an attention whose two coordinates meet in no point; tokens of noise meet all."""
    settings = Settings(
        preset="single", num_experts=2, num_classes=3, dim=8, num_tokens=tokens,
        noise_std=0.3 * (tokens > 3),
    )  # fmt: skip
    points, start = prepare(settings)
    field, state = field_of(monkeypatch, Model("single", 2), points, start, flowing(gate=False))
    moves = np.zeros(field.step.gradient.attention.shape, bool)
    moves.reshape(-1)[next(at for name, at, _ in field.trained if name == "attention")] = True
    seen = np.zeros(moves.shape, bool)
    for seed in range(3):
        field(moved(field, state, seed=seed))
        seen |= field.step.gradient.attention != 0.0
    np.testing.assert_array_equal(seen, moves)
    # Of 6 x 6 pairs in a head two classes never meet; tokens of noise have every coordinate.
    assert (~moves).sum() == (2 * 6 if tokens == 3 else 0)
