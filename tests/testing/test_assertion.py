"""assert_rate: data of the other law must fail, with the evidence kept."""

import json

import numpy as np
import pandas as pd
import pytest

import motsim
import motsim.rates
from motsim.testing import assert_rate, at_most
from motsim.testing.evidence import safe_name
from tests.testing.rate_data import FACTORS, INVERSE, LOG, SHORT, T


def grouped():
    """Two methods in one table, the second of another law."""
    parts = {"good": LOG, "bad": INVERSE}
    return pd.concat(
        pd.DataFrame({"method": name, "seed": s, "step": np.arange(len(x)), "loss": x[:, s]})
        for name, x in parts.items()
        for s in range(5)
    )


@pytest.mark.parametrize(
    ("data", "law"),
    [
        ("log", "log"),
        ("log", at_most(0.5)),
        ("1/eps", "1/eps"),
        ("1/eps", "inverse"),
        ("1/eps", "power"),
        ("1/eps", at_most(1.2)),
    ],
    ids=str,
)
def test_law_holds(rates, data, law):
    assert assert_rate(rates[data], law) is rates[data]


@pytest.mark.parametrize(
    ("data", "law"),
    [("log", "1/eps"), ("log", "power"), ("1/eps", "log"), ("1/eps", at_most(0.8))],
    ids=str,
)
def test_the_other_law_fails_with_everything_in_the_message(rates, data, law, keep):
    rate = rates[data]
    with pytest.raises(AssertionError) as failed:
        assert_rate(rate, law, inconclusive="skip", evidence=keep)
    message = str(failed.value)
    assert message.startswith(f"{law} fails: {rate.sentence}\n{rate.data}\n")
    table = rate.table()
    assert all(name in message for name in table.law)
    ends = table.loc[table.measures != "", ["low", "high"]].to_numpy().ravel()
    assert all(f"{end:.3g}" in message for end in ends)
    assert message.endswith(f"picture: {keep.written[0]}")
    assert keep.written[0].exists()


def test_a_bound_within_the_interval_is_inconclusive(rates, keep):
    low, high = rates["1/eps"].decision.exponent_interval
    with pytest.raises(AssertionError, match=r"inconclusive(.|\n)*p is in \[.* holds") as failed:
        assert_rate(rates["1/eps"], at_most(0.5 * (low + high)), evidence=keep)
    assert "What would decide it" in str(failed.value)


def test_a_floor_is_no_rate(keep):
    rate = motsim.rate(FACTORS * np.exp(-T / 40.0) + 2e-5)
    for law in ("log", at_most(5.0)):
        with pytest.raises(AssertionError, match="fails: The loss stopped"):
            assert_rate(rate, law, evidence=keep)
    assert assert_rate(rate, "floor", evidence=keep) is rate


def test_inconclusive_fails_or_skips(rates, keep):
    with pytest.raises(AssertionError, match=r"^log inconclusive: No law") as failed:
        assert_rate(rates["short"], "log", evidence=keep)
    assert f"What would decide it: {rates['short'].advice}." in str(failed.value)
    with pytest.raises(pytest.skip.Exception, match="log is inconclusive: No law"):
        assert_rate(rates["short"], "log", inconclusive="skip", evidence=keep)


def test_range_is_stated(keep):
    """A power down to 2e-4, a logarithm below."""
    losses = np.concatenate([INVERSE, INVERSE[-1] * np.exp(-T[1:400] / 25.0)])
    found = assert_rate(losses, "log", below=2e-4, evidence=keep)
    assert found.decision.eps_range[1] <= 2e-4
    assert found.tried == 1
    both = assert_rate(losses, "log", below=2e-4, above=1e-8, evidence=keep)
    assert both.decision.eps_range[0] >= 1e-8
    with pytest.raises(AssertionError, match="log inconclusive: No law"):  # 3 decades are needed
        assert_rate(losses, "log", below=2e-4, above=1e-6, evidence=keep)
    with pytest.raises(AssertionError, match="log fails"):
        assert_rate(losses, "log", above=3e-4, evidence=keep)


def test_every_group_must_follow_the_law(keep):
    with pytest.raises(AssertionError) as failed:
        assert_rate(grouped(), "log", evidence=keep)
    lines = str(failed.value).splitlines()
    assert lines[0] == "log fails for 1 of 2 groups: method=bad"
    assert lines[2].startswith("method=bad: log fails: T(eps) grows like 1/eps")
    assert [path.name for path in keep.written] == ["case-method=bad.png"]
    found = assert_rate(grouped(), at_most(1.5), evidence=keep)
    assert sorted(found) == ["method=bad", "method=good"]


def test_evidence_is_what_the_rate_says(rates, keep, drawn):
    picture = keep(rates["log"])
    assert picture.name == "case.png"
    assert picture.read_bytes().startswith(b"\x89PNG")
    said = json.loads(picture.with_suffix(".json").read_text())
    assert said["law"] == "log"
    assert said["sentence"] == rates["log"].sentence
    assert "NaN" not in picture.with_suffix(".json").read_text()
    table = pd.read_csv(picture.with_suffix(".csv"))
    assert list(table.law) == list(rates["log"].table().law)


def test_evidence_of_an_inconclusive_rate_holds_the_times_looked_at(rates, keep):
    """With no law fitted, as here, and in a stated range; what is decided has laws alone."""
    short = pd.read_csv(keep(rates["short"]).with_suffix(".csv"))
    assert len(rates["short"].table()) == 0
    np.testing.assert_allclose(short.eps, SHORT[1:].T.ravel())  # T = 0 is no hitting time
    assert short["T"].tolist() == list(range(1, len(SHORT))) * 5
    assert short.run.astype(str).nunique() == 5
    assert short.looked_at.all()
    assert short.law.isna().all()
    stated = motsim.rate(LOG, eps_range=(1e-2, 1e-1))
    told = pd.read_csv(keep(stated).with_suffix(".csv"))
    assert stated.law == "inconclusive"
    assert len(told) == 5 * (len(LOG) - 1)
    assert (told.looked_at == ((told.eps >= 1e-2) & (told.eps <= 1e-1))).all()
    laws = pd.read_csv(keep(rates["log"]).with_suffix(".csv"))
    assert "T" not in laws
    assert laws.law.notna().all()


def test_evidence_that_cannot_be_written_hides_no_failure(rates, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AssertionError, match=r"log fails: (.|\n)*picture: not written"):
        assert_rate(rates["1/eps"], "log", evidence=tmp_path / "file")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"law": "lgo"}, ValueError, r"law must be log, .* got 'lgo'; did you mean log\?"),
        ({"law": "O(1/eps)"}, ValueError, r"got 'O\(1/eps\)'; did you mean 1/eps\?"),
        ({"law": "1/ε²"}, ValueError, "law must be log, 1/eps, power, floor or at_most"),
        ({"law": "logarithmic"}, ValueError, r"did you mean log\?"),
        ({"law": 1}, ValueError, r"got 1; did you mean at_most\(1\)\?"),
        ({"below": 0}, ValueError, "below must be a positive number; got 0"),
        ({"above": "x"}, ValueError, "above must be a positive number; got 'x'"),
        ({"above": 1e-2, "below": 1e-4}, ValueError, "no eps is >= above=0.01 and <= below=0.0001"),
        ({"below": 1e-2, "eps_range": (1e-4, 1e-2)}, ValueError, "give one of them"),
        ({"inconclusive": "pass"}, ValueError, "inconclusive must be fail or skip; got 'pass'"),
        ({"passage": "last"}, ValueError, "passage must be first or stay; got 'last'"),
        ({"loss": "los"}, ValueError, "los"),
        ({"belwo": 1e-2}, TypeError, r"no option 'belwo'; did you mean below\?"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_wrong_arguments_are_one_line(arguments, error, message):
    with pytest.raises(error, match=message) as refused:
        assert_rate(grouped(), **{"law": "log", **arguments})
    assert "\n" not in str(refused.value)


def test_a_rate_has_its_range_already(rates):
    with pytest.raises(ValueError, match=r"below: a rate is decided already"):
        assert_rate(rates["log"], "log", below=1e-2)


@pytest.mark.parametrize("p", [0, -1.0, float("inf"), float("nan"), "1", True])
def test_wrong_bounds_are_one_line(p):
    with pytest.raises(ValueError, match=r"^at_most: p must be a positive number; got .*$"):
        at_most(p)


def test_file_names_are_safe_and_differ():
    assert safe_name("tests/test_a.py::test_b[1-x]") == "tests-test_a.py-test_b-1-x"
    odd = [f"test_a.py::test_b[{text}]" for text in ("a b", "a?b", "ä" * 300, "../../x", "b" * 400)]
    names = [safe_name(text) for text in odd]
    assert len(set(names)) == len(odd)
    assert all(len(name) < 140 and name.replace(".", "").isascii() for name in names)
    assert not any("/" in name or name.startswith(".") for name in names)
