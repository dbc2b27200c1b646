"""Training in phases on mini-batches, with early stopping on the validation split."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from motsim.minibatch.gradients import evaluate
from motsim.minibatch.losses import OutputLoss, check_loss
from motsim.minibatch.network import Network
from motsim.minibatch.stretches import Descent
from motsim.minibatch.updates import Update
from motsim.mixture.model import ModelParameters, Routing
from motsim.mixture.status import Status
from motsim.realdata.tasks import Samples

__all__ = ["Fit", "Phase", "fit"]


@dataclass(frozen=True)
class Phase:
    """One stage of training: what moves, and for how many steps."""

    name: str
    steps: int
    ffn: Update
    attention: Update
    gate: Update


@dataclass(frozen=True)
class Fit:
    """Record of one training.

    Attributes
    ----------
    status : Status
        `done`, or `diverged`: the loss was not finite; what was best before is kept.
    stopped : bool
        Whether it is done early: no better validation error for `patience` looks.
    steps : (K,) array
        Steps at which the validation split was looked at.
    phases : tuple of str
        Phase at each of them.
    validation_loss, validation_error : (K,) arrays
    snapshots : tuple of ModelParameters
        Parameters at each of them.
    best : int
        Index of the least validation error, then of the least validation loss.
    """

    status: Status
    stopped: bool
    steps: NDArray[np.int64]
    phases: tuple[str, ...]
    validation_loss: NDArray[np.float64]
    validation_error: NDArray[np.float64]
    snapshots: tuple[ModelParameters, ...]
    best: int

    @property
    def parameters(self) -> ModelParameters:
        """Parameters of the least validation error."""
        return self.snapshots[self.best]


def fit(
    network: Network,
    train: Samples,
    validation: Samples,
    phases: Sequence[Phase],
    start: ModelParameters,
    *,
    loss: OutputLoss,
    routing: Routing,
    batch_size: int,
    looks: Sequence[int],
    patience: int = 0,
    seed: int = 0,
) -> Fit:
    """Train through the phases and remember the parameters at every look.

    Batches go through the training samples in a new random order each epoch, the same for every
    model of a seed. Early stopping counts in the last phase only: an earlier one may do work that
    the validation split does not show yet.

    Parameters
    ----------
    network, train, validation, phases, start
    loss : {"squared", "logistic", "cross_entropy"}
    routing : Routing
        Noise is drawn from the run's "routing" stream.
    batch_size : int
        At least the number of samples: every step is taken on all of them.
    looks : sequence of int
        Steps at which the validation split is evaluated; 0 and the last step are added.
    patience : int
        Stop after this many looks without a better validation error; 0: never. The best look
        is what counts in any case.
    seed : int
        Of the run; its "sampling" stream orders the samples.
    """
    check_loss(loss, network.num_outputs)
    total = sum(phase.steps for phase in phases)
    wanted = sorted({0, total, *(step for step in looks if 0 < step < total)})
    record: list[tuple[int, str, float, float, ModelParameters]] = []
    descent = Descent(network, train, start, loss, routing, min(batch_size, len(train)), seed)
    step, best, status, stopped = 0, 0, Status.DONE, False
    for i_phase, phase in enumerate(phases):
        descent.begin(phase.ffn, phase.attention, phase.gate)
        end, last = step + phase.steps, i_phase == len(phases) - 1
        while step < end or last:
            if step == wanted[len(record)]:
                kept = descent.parameters
                seen = evaluate(network, kept, validation, loss=loss)
                record.append((step, phase.name, seen.loss, seen.error, kept))
                if not np.isfinite(seen.loss):
                    status = Status.DIVERGED
                elif (seen.error, seen.loss) < (record[best][3], record[best][2]):
                    best = len(record) - 1
                first = sum(1 for row in record if row[1] != phase.name)
                waited = len(record) - 1 - max(best, first)
                healthy = status is Status.DONE
                stopped = bool(healthy and last and patience and waited >= patience)
            if status is not Status.DONE or stopped or step == total:
                break
            stretch = min(wanted[len(record)], end) - step
            descent.run(stretch)
            step += stretch
        if status is not Status.DONE or stopped:
            break
    steps, stages, losses, errors, snapshots = zip(*record, strict=True)
    return Fit(
        status, stopped and step < total, np.array(steps), stages, np.array(losses),
        np.array(errors), snapshots, best,
    )  # fmt: skip
