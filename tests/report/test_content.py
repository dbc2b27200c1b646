"""What the report says."""

import pytest

from motsim.claims import claim_names
from motsim.report.__main__ import main
from motsim.report.sections import collect
from tests.report.report_pages import LAWS, headline, plain, section_of, store_mine, store_tables


def test_a_claim_has_all_its_parts(page, folder):
    text = section_of(page.read_text(), "rates")
    said = plain(text)
    for part in (
        "A mixture of transformers reaches expected loss ε in O(log(1/ε)) steps",
        "What came out. It holds for cubic experts down to 10−7, linear experts down to 10−11,",
        "Assumptions N = 4 classes in d = 24",
        "Command for mot-logistic python -m motsim.sweep rates --case mot-logistic --tier quick",
        "arXiv:2510.27004, abstract",
        "quoted from the paper",
        "upper bound: tested on one side",
        "T(ε) follows the log law for mot",
        "8 hold, 4 fail, 1 inconclusive; all as recorded",
        "steps a decade",
        "the log law beats every rival",
        "Tier quick",
        "Runs 72 of 72 planned (6 max_steps, 66 reached)",
        "Seeds 6 in a setting at most",
        "python -m motsim.sweep rates --tier quick",
        "python -m motsim.verify rates --tier quick",
        "python -m motsim.figures rates",
        "epsilon_min = 1e-16",
    ):
        assert part in said, part
    assert '<a href="https://arxiv.org/abs/2510.27004">' in text
    assert '<a href="rates.curve.csv">rates.curve.csv</a>' in text
    assert text.count("<svg") == 2
    assert text.count('role="img"') == 2
    assert "3 panels. Panel 1, mixture, squared: log law, up: expected loss" in text
    assert str(folder) not in text


def test_without_names_every_claim_is_there_or_said_to_be_missing(
    no_figures, folder, tmp_path, capsys
):
    assert main(["--out", str(folder), "--to", str(tmp_path / "all.html")]) == 1  # a run failed
    text = (tmp_path / "all.html").read_text()
    for name in claim_names():
        said = plain(section_of(text, name))
        if name != "rates":
            assert f"python -m motsim.sweep {name} --out {folder}" in said
    assert text.index('<section id="rates"') < text.index('<section id="attention-floor"')
    answer = capsys.readouterr()
    assert f"{len(claim_names()) + 1} sections; {len(claim_names()) - 1} without" in answer.out
    assert "mine: 3 of 3 runs failed" in answer.err


def test_a_failure_that_is_recorded_is_a_finding_and_a_changed_verdict_an_alarm(
    no_figures, tmp_path, capsys
):
    store_tables(tmp_path, "rates", headline, seeds=6)
    assert main(["rates", "--out", str(tmp_path)]) == 0
    text = section_of((tmp_path / "report.html").read_text(), "rates")
    assert "fails" in text
    assert "not as recorded" not in text

    other = tmp_path / "other"  # negative control: the mixture pays a power
    other.mkdir()
    changed = {**LAWS, "mot-squared": LAWS["mot-logistic"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LAWS, "mot-squared", changed["mot-squared"])
        store_tables(other, "rates", headline, seeds=6)
    assert main(["rates", "--out", str(other)]) == 1
    text = plain(section_of((other / "report.html").read_text(), "rates"))
    assert "1 not as recorded" in text
    assert "not as recorded: was holds" in text
    assert capsys.readouterr().err == ""


def test_the_page_says_whether_its_runs_are_those_of_the_sweep_file(no_figures, folder, tmp_path):
    store_tables(tmp_path, "rates", headline, seeds=2, overrides={"gate_rate": 7.0})
    same, other = (collect("rates", place, place).facts["settings"] for place in (folder, tmp_path))
    assert same == "each run has the key of the sweep file below and of the present code"
    assert other.startswith("24 of 24 runs are not those of the sweep file below")


def test_a_users_sweep_shows_its_first_rows(tmp_path):
    store_mine(tmp_path, title="My title", case="one")
    assert main(["mine", "--out", str(tmp_path)]) == 0
    said = plain(section_of((tmp_path / "report.html").read_text(), "table-1"))
    assert "My title" in said
    assert "First rows of mine case seed run status x one 0" in said
