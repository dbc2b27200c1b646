"""What the settings of every kind have in common."""

from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, model_validator

__all__ = ["KindSettings"]


class KindSettings(BaseModel):
    """Strict settings: no word is a number, no number a truth, and no key is unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _without_numpy(cls, values: Any) -> Any:
        """NumPy's integers are integers, and its truths truths: ranges and tables give them."""
        return _plain(values)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(_plain, value))
    return value
