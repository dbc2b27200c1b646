"""The words of a status are those of every store and table; the enum stays within the program."""

import json
import pickle

import numpy as np
import pandas as pd

from motsim.experiments.result import STATUSES, Result, plain_result
from motsim.mixture.status import Status
from motsim.results.content import FAILED

WORDS = ["reached", "max_steps", "diverged", "done", "error", "worker_died"]


def test_words_are_pinned_and_every_one_has_its_message():
    """Stored runs hold them."""
    assert [status.value for status in Status] == WORDS
    assert list(STATUSES) == WORDS[:4]
    assert list(FAILED) == WORDS[4:]
    assert len({status.message for status in Status}) == len(WORDS)


def test_what_leaves_a_run_is_a_plain_word():
    found = plain_result(Result(Status.DONE, {"loss": 0.5}))
    assert type(found.status) is str
    assert type(Result(Status.DONE, {}).status) is not str  # control
    assert pickle.loads(pickle.dumps(Status.REACHED)) is Status.REACHED
    assert json.dumps(Status.REACHED) == '"reached"'
    assert pd.Series([Status.REACHED]).to_csv(index=False, header=False).split() == ["reached"]
    assert np.array([Status.REACHED]).tolist() == ["reached"]
