"""Training on mini-batches: phases, early stopping."""

import itertools
from dataclasses import replace

import numpy as np

from motsim.minibatch import FROZEN, Network, Phase, Update, fit
from motsim.minibatch.network import start_parameters
from motsim.mixture.model import Model, Routing
from tests.minibatch.clusters import samples

ADAM = Update(0.02, "adam")


def trained(phases, train=None, seed=0, **options):
    network = Network(Model("mot", 3, "cubic", 2))
    start = start_parameters(network, 6, init_std=0.2, attention_scale=1.0, seed=0)
    given = {"loss": "logistic", "routing": Routing("sampled"), "batch_size": 16, "looks": [10, 20]}
    train = samples() if train is None else train
    done = fit(network, train, samples(60, 1), phases, start, **{**given, **options}, seed=seed)
    return start, done


def test_training_learns_and_shuffled_targets_do_not():
    _, done = trained([Phase("joint", 300, ADAM, ADAM, ADAM)])
    assert done.validation_error[done.best] < 0.1
    whole = samples()
    shuffled = replace(whole, targets=np.random.default_rng(5).permutation(whole.targets))
    _, broken = trained([Phase("joint", 300, ADAM, ADAM, ADAM)], shuffled)
    assert broken.validation_error[-1] > 0.3


def test_each_phase_moves_what_it_says():
    phases = [
        Phase("specialize", 5, ADAM, FROZEN, FROZEN),
        Phase("align", 5, FROZEN, ADAM, FROZEN),
        Phase("gate", 5, FROZEN, FROZEN, ADAM),
    ]
    start, done = trained(phases, looks=[5, 10])
    assert done.steps.tolist() == [0, 5, 10, 15]
    assert done.phases == ("specialize", "align", "gate", "gate")
    states = [vars(p) for p in done.snapshots]
    assert all((states[0][name] == value).all() for name, value in vars(start).items())
    moved = [
        [name for name in states[0] if (a[name] != b[name]).any()]
        for a, b in itertools.pairwise(states)
    ]
    assert moved == [["ffn"], ["attention"], ["gate"]]


def test_the_best_look_is_kept_and_patience_stops():
    joint = [Phase("joint", 400, Update(0.3, "adam"), ADAM, ADAM)]  # too large a step
    _, long = trained(joint, looks=range(0, 400, 20))
    best = int(np.lexsort((long.validation_loss, long.validation_error))[0])
    assert long.best == best
    _, short = trained(joint, looks=range(0, 400, 20), patience=2)
    assert (short.status, short.stopped, len(short.steps)) == ("done", True, short.best + 3)
    np.testing.assert_array_equal(
        short.validation_loss, long.validation_loss[: len(short.validation_loss)]
    )
    assert (long.status, long.stopped) == ("done", False)


def test_a_diverging_rate_is_said_and_the_best_before_is_kept():
    _, done = trained([Phase("joint", 200, Update(1e200), ADAM, ADAM)])
    assert done.status == "diverged"
    assert np.isfinite(done.validation_loss[done.best])


def test_a_look_changes_nothing():
    joint = [Phase("joint", 30, ADAM, ADAM, ADAM)]
    _, few = trained(joint, looks=[])
    _, many = trained(joint, looks=range(30))
    for name, value in vars(few.snapshots[-1]).items():
        np.testing.assert_array_equal(value, getattr(many.snapshots[-1], name))


def test_batches_are_those_of_an_epoch():
    """With batches of all samples the order does not matter, so seeds differ by rounding only."""
    joint = [Phase("joint", 5, ADAM, ADAM, ADAM)]
    options = {"routing": Routing("expected")}
    _, one = trained(joint, batch_size=1000, **options, seed=1)
    _, two = trained(joint, batch_size=1000, **options, seed=2)
    np.testing.assert_allclose(one.snapshots[-1].ffn, two.snapshots[-1].ffn, atol=1e-9)
    _, other = trained(joint, batch_size=16, **options, seed=2)
    assert np.abs(one.snapshots[-1].ffn - other.snapshots[-1].ffn).max() > 1e-4
