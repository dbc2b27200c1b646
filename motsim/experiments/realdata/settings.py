"""Settings of one run on real data, checked against the files they name."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, Strict, model_validator

from motsim.experiments.base import KindSettings
from motsim.minibatch.losses import OutputLoss, check_loss
from motsim.minibatch.network import GateValue
from motsim.mixture.data import Mixture
from motsim.mixture.model import Routing
from motsim.realdata import Sequences, Texts
from motsim.realdata.source import LOCAL, SIDES, fingerprint, load_data
from motsim.realdata.tasks import check_scheme, from_sequences
from motsim.realdata.tokens import patch_count

__all__ = ["Settings", "mixture"]

Pair = Annotated[tuple[float, float], Strict(False)]


class Settings(KindSettings):
    """Complete settings of one run."""

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
    scheme: Literal["pairs", "groups", "relabeled", "classes"] = "groups"
    num_tasks: int = Field(4, ge=1)
    task_amplitude: float = Field(1.0, ge=0, description="norm of the task's token; 0: none")
    # synthetic data: motsim/mixture/data.py
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
    specialize_share: float = Field(0.3, ge=0, lt=1, description="of the steps, in stage I")
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
        if self.specialize_share + self.align_share >= 1:
            raise ValueError(
                "specialize_share + align_share must be < 1; got"
                f" {self.specialize_share:g} + {self.align_share:g}"
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
        """Classes of the labeled data."""
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
