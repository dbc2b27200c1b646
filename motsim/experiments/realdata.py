"""One model on a mixture of tasks made from real data, trained on mini-batches.

A run tunes one step size on the validation split, over the same grid for every model, and reports
the test split at the best look of the best rate; the test split enters no choice.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from motsim.data import Mixture, make_signals
from motsim.diagnostics import dispatch_entropy
from motsim.experiments.result import Result
from motsim.extras import require
from motsim.minibatch.fitting import Fit, Phase, fit
from motsim.minibatch.gradients import evaluate
from motsim.minibatch.kernels import adam, softmax, softmax_gradient
from motsim.minibatch.losses import OutputLoss, check_loss
from motsim.minibatch.network import (
    GateValue,
    Network,
    matched_network,
    num_parameters,
    start_parameters,
    work,
)
from motsim.minibatch.routed import dispatch_shares, routing_measures
from motsim.minibatch.updates import FROZEN, Update
from motsim.model import Model, ModelParameters, Routing
from motsim.points import sample
from motsim.randomness import generator
from motsim.realdata import Images, Sequences, Texts, read_archive, write_archive
from motsim.realdata.source import LOCAL, SIDES, fingerprint, load_data, split_rows, subset
from motsim.realdata.tasks import Samples, Split, check_scheme, from_sequences, make_tasks, split
from motsim.realdata.tokens import image_tokens, patch_count, text_tokens

__all__ = ["MODULES", "SCIENCE", "Settings", "build_network", "compile_kernels", "cost", "run"]

#: Sources whose change makes stored runs of this kind stale.
SCIENCE = (
    "randomness.py", "realdata", "minibatch", "kernels/arithmetic.py", "model.py", "data.py",
    "points.py", "diagnostics.py", "experiments/realdata.py",
)  # fmt: skip
MODULES = ("sklearn", "mlxtend")
SECONDS = 1.5e-10  # of one multiplication, about; measured on one 2.6 GHz core
STEP_SECONDS = 5e-4  # of one step, whatever its size
Pair = Annotated[tuple[float, float], Strict(False)]


class Settings(BaseModel):
    """Complete settings of one run."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    seed: int = Field(0, ge=0)
    # data
    data: Literal["digits", "mnist", "cifar10", "cifar100", "text", "npz", "synthetic"] = "digits"
    path: str = Field("", description="folder of cifar10, cifar100, text; file of npz")
    content: str = Field("", description="fingerprint of path, filled in: other data, other run")
    max_samples: int = Field(0, ge=0, description="sequences drawn by the seed; 0: all")
    dim: int = Field(24, ge=1, description="of a token, the tasks' own dimensions included")
    patch: int = Field(4, ge=1, description="side of an image patch")
    projection: Literal["pca", "random"] = "pca"
    position: Literal["place", "additive"] = "place"
    num_tokens: int = Field(4, ge=1, description="parts of a text; tokens of synthetic data")
    validation_share: float = Field(0.15, gt=0, lt=1)
    test_share: float = Field(0.3, gt=0, lt=1)
    shuffle_labels: bool = Field(False, description="negative control: labels without meaning")
    # tasks: motsim/realdata/tasks.py
    scheme: Literal["pairs", "groups", "relabelled", "classes"] = "groups"
    num_tasks: int = Field(4, ge=1)
    task_amplitude: float = Field(1.0, ge=0, description="norm of the task's token; 0: none")
    # synthetic data: motsim/data.py
    synthetic_samples: int = Field(16000, ge=10)
    signal_amplitude: Pair = (0.5, 2.0)
    class_amplitude: Pair = (1.0, 2.0)
    distractor_amplitude: Pair = (0.5, 3.0)
    noise_std: float = Field(1.0, ge=0)
    token_scale: float = Field(1.0, gt=0)
    constant: float = Field(0.0, description="one more coordinate of synthetic and npz tokens")
    # model; sizes are those of the mixture of transformers, others have as many parameters
    model: Literal["mot", "single", "moe", "shared", "one"] = "mot"
    matched: bool = Field(True, description="False: num_experts and num_neurons as they stand")
    num_experts: int = Field(8, ge=1)
    num_neurons: int = Field(4, ge=1, description="an output")
    activation: Literal["cubic", "linear"] = "cubic"
    gate_value: GateValue = "probability"
    # start
    init_std: float = Field(0.2, gt=0)
    attention_scale: float = Field(1.0, ge=0)
    # training
    loss: OutputLoss | None = Field(None, description="None: logistic, or cross_entropy")
    schedule: Literal["end_to_end", "two_stage", "three_stage"] = "end_to_end"
    steps: int = Field(1000, ge=1)
    specialise_share: float = Field(0.3, ge=0, lt=1, description="of the steps, in stage I")
    align_share: float = Field(0.2, ge=0, lt=1, description="of the steps, in stage II")
    batch_size: int = Field(64, ge=1)
    optimizer: Literal["adam", "gd", "normalized_gd"] = "adam"
    rates: Annotated[tuple[float, ...], Strict(False)] = (0.003, 0.01, 0.03)
    gate_optimizer: Literal["adam", "gd"] = "adam"
    gate_rate: float | None = Field(None, ge=0, description="None: the tuned rate")
    looks: int = Field(10, ge=1, description="times the validation split is evaluated")
    patience: int = Field(0, ge=0, description="looks without improvement; 0: never stop early")
    # routing
    routing: Literal["sampled", "expected"] = "sampled"
    routing_noise: Literal["gumbel", "uniform"] = "gumbel"
    routing_scale: float = 0.3
    load_balance: float = Field(0.0, ge=0)

    @model_validator(mode="before")
    @classmethod
    def _fill_fingerprint(cls, values: Any) -> Any:
        if not isinstance(values, dict) or values.get("content"):
            return values
        data, path = values.get("data"), values.get("path")
        if data not in LOCAL or not isinstance(path, str) or not Path(path).exists():
            return values
        return {**values, "content": fingerprint(path)}

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.data in LOCAL and not self.path:
            raise ValueError(f"data {self.data!r} needs a path, for instance --set path=FOLDER")
        if self.path and self.data not in LOCAL:
            raise ValueError(f"path is for {', '.join(LOCAL)}; data {self.data!r} needs none")
        if not self.rates or min(self.rates) <= 0:
            raise ValueError(f"rates must be one or more numbers > 0; got {self.rates}")
        if self.validation_share + self.test_share >= 1:
            raise ValueError(
                "validation_share + test_share must be < 1; got"
                f" {self.validation_share:g} + {self.test_share:g}"
            )
        if self.specialise_share + self.align_share >= 1:
            raise ValueError(
                "specialise_share + align_share must be < 1; got"
                f" {self.specialise_share:g} + {self.align_share:g}"
            )
        Routing(self.routing, self.routing_noise, self.routing_scale, self.load_balance)
        self._check_data()
        if self.loss is not None:
            check_loss(self.loss, self.num_outputs)
        return self

    def _check_data(self) -> None:
        if self.data == "synthetic":
            mixture(self)
            return
        if self.data in LOCAL:  # a wrong file is refused here, before any run
            load_data(self.data, self.path, self.content)
        if self.data == "npz":
            return
        check_scheme(self.scheme, self.num_classes, self.num_tasks)
        if self.told and self.dim <= self.num_tasks:
            raise ValueError(
                f"dim must be > num_tasks = {self.num_tasks}, whose tokens take as many"
                f" dimensions; got {self.dim}"
            )
        if self.data in SIDES:
            patch_count((SIDES[self.data],) * 2, self.patch)

    @property
    def told(self) -> bool:
        """Whether a token tells the task."""
        return self.task_amplitude > 0 and self.scheme != "classes"

    @property
    def num_classes(self) -> int:
        """Classes of the labelled data."""
        if self.data == "text":
            found = load_data(self.data, self.path, self.content)
            return len(found.names) if isinstance(found, Texts) else 0
        return 100 if self.data == "cifar100" else 10

    @property
    def num_outputs(self) -> int:
        """C: 1 for labels -1 and +1."""
        if self.data == "npz":
            found = load_data(self.data, self.path, self.content)
            return from_sequences(found).num_outputs if isinstance(found, Sequences) else 0
        if self.data == "synthetic" or self.scheme in ("pairs", "groups"):
            return 1
        return self.num_classes


def mixture(settings: Settings) -> Mixture:
    """Return the distribution of synthetic data."""
    s = settings
    return Mixture(
        num_classes=s.num_tasks,
        dim=s.dim,
        num_tokens=s.num_tokens,
        class_amplitude=s.class_amplitude,
        signal_amplitude=s.signal_amplitude,
        distractor_amplitude=s.distractor_amplitude,
        noise_std=s.noise_std,
    )


def prepare(settings: Settings) -> Split:
    """Return the samples of a run."""
    s = settings
    found = _synthetic(s) if s.data == "synthetic" else load_data(s.data, s.path, s.content)
    rows = split_rows(found, s.validation_share, s.test_share, s.max_samples, s.seed)
    used = np.sort(np.concatenate(rows))
    if len(used) < len(found.labels):
        found = subset(found, used)
        train, checks, test = (np.searchsorted(used, part).astype(np.int64) for part in rows)
        rows = train, checks, test
    if isinstance(found, Sequences):
        samples = from_sequences(found, s.constant)
    else:
        samples = _made(s, found, rows[0])
    return split(samples, rows, shuffle_labels=s.shuffle_labels, seed=s.seed)


def _made(s: Settings, found: Images | Texts, train: np.ndarray) -> Samples:
    """Mixture of tasks from images or texts."""
    dim = s.dim - s.num_tasks * s.told
    if isinstance(found, Texts):
        tokens = text_tokens(found, train, num_tokens=s.num_tokens, dim=dim, seed=s.seed)
    else:
        tokens = image_tokens(
            found, train, patch=s.patch, dim=dim, projection=s.projection, position=s.position,
            seed=s.seed,
        )  # fmt: skip
    amplitude = s.task_amplitude if s.told else 0.0
    return make_tasks(
        tokens, found.labels, scheme=s.scheme, num_tasks=s.num_tasks, amplitude=amplitude,
        num_classes=s.num_classes, seed=s.seed,
    )  # fmt: skip


def _synthetic(s: Settings) -> Sequences:
    """Draw the paper's data, write it as an archive, and read it as any other."""
    data = mixture(s)
    points = sample(data, make_signals(data, s.seed), s.synthetic_samples, seed=s.seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "synthetic.npz"
        write_archive(path, s.token_scale * points.tokens, points.labels, points.classes)
        return read_archive(path)


def build_network(settings: Settings, num_outputs: int, dim: int) -> Network:
    """Return the model: by default as large as a mixture of transformers of the settings."""
    s = settings
    reference = Network(
        Model("mot", s.num_experts, s.activation, s.num_neurons), num_outputs, s.gate_value
    )
    if s.model == "one":  # the work of one routed expert
        return Network(Model("single", 1, s.activation, s.num_neurons), num_outputs)
    if s.matched:
        return matched_network(s.model, reference, dim)
    return Network(
        Model(s.model, s.num_experts, s.activation, s.num_neurons), num_outputs, s.gate_value
    )


def phases(settings: Settings, network: Network, dim: int, rate: float) -> list[Phase]:
    """Return the stages for one base rate.

    In stage I each expert moves by rate * sqrt(size): as far as under Adam, a rate a number.
    """
    s = settings
    move = Update(rate, s.optimizer)
    gate = Update(rate if s.gate_rate is None else s.gate_rate, s.gate_optimizer)
    if s.schedule == "end_to_end":
        return [Phase("joint", s.steps, move, move, gate)]
    first = round(s.specialise_share * s.steps)
    size = network.num_outputs * network.model.num_neurons * dim
    early = Phase("specialise", first, Update(rate * size**0.5, "normalized_gd"), FROZEN, gate)
    if s.schedule == "two_stage":
        return [early, Phase("joint", s.steps - first, move, move, gate)]
    second = round(s.align_share * s.steps)
    return [
        early,
        Phase("align", second, FROZEN, move, gate),
        Phase("converge", s.steps - first - second, move, FROZEN, gate),
    ]


def compile_kernels() -> None:
    """Check that the extra is there, and compile the kernels."""
    require("data", MODULES)
    softmax(np.zeros((1, 2)))
    softmax_gradient(np.zeros((1, 2)), np.zeros((1, 2)))
    adam(*np.zeros((4, 1)), (0.9, 0.999), 0.1, 1)


def cost(settings: Settings) -> float:
    """Return about how many seconds a run takes, on one core."""
    s = settings
    length = s.num_tokens + 1
    if s.data in SIDES:
        length = patch_count((SIDES[s.data],) * 2, s.patch) + 1
    network = build_network(s, s.num_outputs, s.dim)
    step = 3 * SECONDS * s.batch_size * work(network, s.dim, length) + STEP_SECONDS
    return len(s.rates) * s.steps * step


def run(settings: Settings) -> Result:
    """Train with every rate, choose by the validation split, measure on the test split."""
    s = settings
    require("data", MODULES)
    parts = prepare(s)
    dim, outputs = parts.train.tokens.shape[2], parts.train.num_outputs
    loss: OutputLoss = s.loss or ("logistic" if outputs == 1 else "cross_entropy")
    network = build_network(s, outputs, dim)
    start = start_parameters(
        network, dim, init_std=s.init_std, attention_scale=s.attention_scale, seed=s.seed
    )
    routing = Routing(s.routing, s.routing_noise, s.routing_scale, s.load_balance)
    fits = [
        fit(
            network, parts.train, parts.validation, phases(s, network, dim, rate), start,
            loss=loss, routing=routing, batch_size=s.batch_size,
            looks=[round(s.steps * k / s.looks) for k in range(1, s.looks)],
            patience=s.patience, seed=s.seed,
        )
        for rate in s.rates
    ]  # fmt: skip
    chosen = min(range(len(fits)), key=lambda k: _merit(fits[k]))
    best = fits[chosen]
    gated = network.model.gated
    curve: dict[str, list[Any]] = {
        "step": best.steps.tolist(),
        "phase": list(best.phases),
        "validation_error": best.validation_error.tolist(),
        "validation_loss": [float(x) if np.isfinite(x) else None for x in best.validation_loss],
    }
    test = parts.test
    scores = [evaluate(network, p, test, loss=loss) for p in best.snapshots]
    shares = [
        dispatch_shares(score.routed, test.tasks, network.model.num_experts, test.num_tasks)
        for score in scores
    ]
    curve["test_error"] = [score.error for score in scores]
    curve["test_loss"] = [score.loss if np.isfinite(score.loss) else None for score in scores]
    final = scores[best.best]
    metrics: dict[str, Any] = {
        "test_error": final.error,
        "test_loss": final.loss,
        "validation_error": float(best.validation_error[best.best]),
        "rate": s.rates[chosen],
        "best_step": int(best.steps[best.best]),
        "num_steps": int(best.steps[-1]),
        "parameters": num_parameters(network, dim),
        "heads": network.model.num_experts,
        "neurons": network.model.num_neurons,
        "work": work(network, dim, parts.train.tokens.shape[1]),
        "train_samples": len(parts.train),
        "test_samples": len(test),
    }
    tables = {"curve": curve, "tuning": _tuning(s, fits)}
    if gated:
        measured = [routing_measures(share) for share in shares]
        for name in ("dispatch_entropy", "used_experts"):
            curve[name] = [m[name] for m in measured]
        metrics |= measured[best.best] | _with_noise(
            s, network, best.parameters, test, loss, routing
        )
        tables["dispatch"] = _dispatch(shares[best.best])
    healthy = any(f.status != "diverged" for f in fits) and np.isfinite(final.loss)
    return Result("done" if healthy else "diverged", metrics, tables)


def _with_noise(
    s: Settings,
    network: Network,
    parameters: ModelParameters,
    test: Samples,
    loss: OutputLoss,
    routing: Routing,
) -> dict[str, float]:
    """Error and dispatch entropy with the routing noise of training (as arXiv:2208.02813)."""
    experts = network.model.num_experts
    drawn = routing.draw(generator(s.seed, "noise"), (len(test), experts))
    seen = evaluate(network, parameters, test, loss=loss, noise=drawn)
    shares = dispatch_shares(seen.routed, test.tasks, experts, test.num_tasks)
    return {"noisy_error": seen.error, "noisy_entropy": dispatch_entropy(shares)}


def _merit(done: Fit) -> tuple[float, float]:
    """Validation error, then loss, of the best look."""
    return float(done.validation_error[done.best]), float(done.validation_loss[done.best])


def _tuning(s: Settings, fits: list[Fit]) -> dict[str, list[Any]]:
    return {
        "rate": list(s.rates),
        "validation_error": [_merit(done)[0] for done in fits],
        "best_step": [int(done.steps[done.best]) for done in fits],
        "ended": [done.status for done in fits],
    }


def _dispatch(shares: np.ndarray) -> dict[str, list[Any]]:
    place = np.indices(shares.shape).reshape(2, -1)
    return {
        "expert": place[0].tolist(),
        "task": place[1].tolist(),
        "share": shares.ravel().tolist(),
    }
