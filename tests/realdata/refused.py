"""What a wrong file is answered, and an object that runs code."""

import os

import pytest

from motsim.realdata import (
    DataError,
)


def refusal(call):
    with pytest.raises(DataError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message
    return message


def refusal_if_any(call):
    try:
        call()
    except DataError as error:
        return str(error)
    return ""


class Evil:
    """A pickle that runs a command where a pickle can."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)
