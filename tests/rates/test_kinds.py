"""Kinds of curves that people have, each right by construction: no verdict is false."""

import re
import zlib
from collections import Counter

import numpy as np
import pytest

from motsim.rates import decide
from tests.rates.cases import POWERS
from tests.rates.kinds import KINDS

START = 60_000  # seeds nobody tuned on
QUICK, SETS = 2, 1000


def graded(name, seed):
    """Grade one set; the sentence must be fit to print."""
    kind, with_power = KINDS[name]
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    p = float(rng.choice(POWERS)) if with_power and seed % 2 else 0.0
    case = kind(rng, p)
    sentence, d = case.sentence_and_decision()
    grade = case.grade(d)
    text = " ".join([sentence, d.advice, *d.warnings])
    assert not re.search(r"\b(nan|inf)\b", text, re.IGNORECASE), text
    assert d.advice or d.law != "inconclusive", f"no advice: {d.reason}"
    return grade, f"{name}, seed {seed}, p = {p:g}: {sentence}"


def count_kind(name, seeds):
    """Count the grades of a kind, and list the sentences that are wrong."""
    found = [graded(name, seed) for seed in seeds]
    return Counter(grade for grade, _ in found), [text for grade, text in found if grade == "wrong"]


@pytest.mark.parametrize("name", KINDS)
def test_no_verdict_of_a_kind_is_wrong(name, record_property):
    count, wrong = count_kind(name, range(START, START + QUICK))
    record_property("inconclusive", count["inconclusive"] / QUICK)
    assert not wrong, wrong


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_wrong_verdicts_of_all_kinds_are_at_most_one_per_cent(record_property):
    total, every, size = Counter(), [], -(-SETS // len(KINDS))
    for name in KINDS:
        count, wrong = count_kind(name, range(START + 1000, START + 1000 + size))
        print(f"{name:24s} {dict(count)}")
        record_property(f"inconclusive: {name}", count["inconclusive"] / size)
        assert len(wrong) <= 1, wrong
        total, every = total + count, every + wrong
    print(f"{'all':24s} {dict(total)}")
    assert total.total() >= SETS
    assert total["wrong"] <= 0.01 * total.total(), every
    assert total["inconclusive"] <= 0.5 * total.total(), dict(total)


def test_a_power_of_the_logarithm_is_doubted_aloud():
    """T ∝ (ln 1/eps)^1.5 keeps within the log law's limit of p; the growth is said."""
    epsilons = 10.0 ** -np.arange(0.5, 8.51, 0.25)
    factors = 100.0 * np.array([1.0, 1.2, 0.9, 1.1, 1.05])[:, None]
    for power, doubted in ((1.5, True), (1.0, False)):  # control: the logarithm itself
        found = decide(epsilons, np.ceil(factors * np.log(1 / epsilons) ** power))
        assert found.law == "log"
        assert ("a power of the logarithm" in " ".join(found.warnings)) is doubted
