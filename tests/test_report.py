"""The report: what it says, that it says it safely, and that a browser shows it well."""

import base64
import hashlib
import html
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure
from page_checks import (
    bad_ids,
    chromium,
    console_errors,
    emulate,
    too_faint,
    too_small,
    too_wide,
)

from figures.inline import inline_svg
from motsim.claims import claim_names
from motsim.experiments.result import Result
from motsim.plan import load_sweep
from motsim.report.__main__ import main
from motsim.report.page import render
from motsim.report.sections import collect
from motsim.results.store import Store
from motsim.results.tables import export

HOSTILE = "<script>document.title = 'broken into'</script><img src=x onerror=alert(1)>"
MINE = """
title = {title}
seeds = 3
[fixed]
num_classes = 2
dim = 6
[case.{case}]
"""
#: Case of the headline -> T(eps) that gives the recorded verdict.
LAWS = {
    "mot-squared": lambda eps: 20 * np.log(1 / eps),
    "mot-linear-squared": lambda eps: 30 * np.log(1 / eps),
    "mot-logistic": lambda eps: 5 * eps**-0.77,
    "single-1-squared": lambda eps: np.where(eps > 0.04, 30 / eps, np.inf),
}


def headline(cell):
    """Make up a run of the headline, by its law."""
    case, seed = cell.labels["case"], cell.labels["seed"]
    law = LAWS.get(case, lambda eps: 4 * eps**-0.7)
    eps = np.geomspace(1e-1, 1e-6, 26)
    steps = (1 + 0.01 * seed) * law(eps)
    reached = [int(step) if np.isfinite(step) else -1 for step in steps]
    last = max(reached)
    curve = np.arange(0, last + 1, max(last // 30, 1))
    return Result(
        "reached" if reached[-1] > 0 else "max_steps",
        {"num_steps": last, "stage_length": last, "final_loss": 1e-6,
         "covered_classes": 4.0 if case.startswith("mot") else float("nan")},
        {"hits": {"epsilon": list(eps), "step": reached, "stage_step": reached},
         "curve": {"step": list(map(int, curve)), "loss": list(0.5 / (1.0 + curve)),
                   "stage": ["converge"] * len(curve)}},
    )  # fmt: skip


def store_tables(folder, name, result_of, **options):
    sweep = load_sweep(str(name))
    cells = sweep.cells("quick", **options)
    with Store(folder) as store:
        for cell in cells:
            store.commit(cell.key, cell.kind, cell.settings.model_dump(), result_of(cell), 0.0)
        return export(store, sweep, "quick", cells, folder)


def store_mine(folder, title="mine", case="one", name="mine", result=None):
    file = folder / f"{name}.toml"
    file.write_text(MINE.format(title=json.dumps(title), case=json.dumps(case)))
    return store_tables(folder, file, lambda cell: result or Result("done", {"x": 0.5}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Tables of the headline, as recorded, and a user's own with hostile words and a failed run."""
    place = tmp_path_factory.mktemp("results")
    store_tables(place, "rates", headline, seeds=3)
    failed = Result("error", {"error": f"ValueError: {HOSTILE}"})
    store_mine(place, title=HOSTILE, case=HOSTILE, result=failed)
    return place


@pytest.fixture(scope="module")
def page(folder):
    """The page of the headline, the user's sweep and a claim without a table."""
    place = folder / "page.html"
    assert main(["rates", "mine", "coverage", "--out", str(folder), "--to", str(place)]) == 1
    return place


@pytest.fixture
def no_figures(monkeypatch):
    """Where figures are not the question, they are not drawn: seconds each."""
    monkeypatch.setattr("motsim.report.sections._pictures", lambda *arguments: ())


# --- what it says ---------------------------------------------------------------------------------


def section_of(text, anchor):
    return re.search(rf'<section id="{anchor}".*?</section>', text, re.DOTALL)[0]


def plain(text):
    """Return what is read, without figures."""
    text = re.sub(r"<svg.*?</svg>", " ", text, flags=re.DOTALL)
    text = re.sub(r"</?(?:a|b|em|span)\b[^>]*>", "", text)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def test_a_claim_has_all_its_parts(page, folder):
    text = section_of(page.read_text(), "rates")
    said = plain(text)
    for part in (
        "A mixture of transformers reaches expected loss eps in O(log(1/eps)) steps",
        "arXiv:2510.27004, abstract",
        "quoted from the paper",
        "upper bound: tested on one side",
        "T(eps) follows the log law for mot",
        "7 hold, 1 fails, 1 inconclusive; all as recorded",
        "steps a decade",
        "the log law beats every rival",
        "Tier quick",
        "Runs 27 of 27 planned (3 max_steps, 24 reached)",
        "Seeds 3 in a setting at most",
        "python -m motsim.sweep rates --tier quick",
        "python -m motsim.verify rates --tier quick",
        "python -m figures rates",
        "epsilon_min = 1e-9",
    ):
        assert part in said, part
    assert '<a href="https://arxiv.org/abs/2510.27004">' in text
    assert '<a href="rates.curve.csv">rates.curve.csv</a>' in text
    assert text.count("<svg") == 2
    assert text.count('role="img"') == 2
    assert "2 panels. Panel 1, squared loss, up: expected loss" in text  # text alternative
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
    store_tables(tmp_path, "rates", headline, seeds=3)
    assert main(["rates", "--out", str(tmp_path)]) == 0
    text = section_of((tmp_path / "report.html").read_text(), "rates")
    assert "fails" in text
    assert "not as recorded" not in text

    other = tmp_path / "other"  # negative control: the mixture pays a power
    other.mkdir()
    changed = {**LAWS, "mot-squared": LAWS["mot-logistic"]}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LAWS, "mot-squared", changed["mot-squared"])
        store_tables(other, "rates", headline, seeds=3)
    assert main(["rates", "--out", str(other)]) == 1
    text = plain(section_of((other / "report.html").read_text(), "rates"))
    assert "1 not as recorded" in text
    assert "not as recorded: was holds" in text
    assert capsys.readouterr().err == ""


def test_the_page_says_whether_its_runs_are_those_of_the_sweep_file(no_figures, folder, tmp_path):
    store_tables(tmp_path, "rates", headline, seeds=2, overrides={"gate_rate": 7.0})
    same, other = (collect("rates", place, place).facts["settings"] for place in (folder, tmp_path))
    assert same == "each run has the key of the sweep file below and of the present code"
    assert other.startswith("18 of 18 runs are not those of the sweep file below")


def test_a_users_sweep_shows_its_first_rows(tmp_path):
    store_mine(tmp_path, title="My title", case="one")
    assert main(["mine", "--out", str(tmp_path)]) == 0
    said = plain(section_of((tmp_path / "report.html").read_text(), "table-1"))
    assert "My title" in said
    assert "First rows of mine case seed run status x one 0" in said


# --- safety ---------------------------------------------------------------------------------------


def test_hostile_words_stay_words(page):
    text = page.read_text()
    assert "<script>document" not in text
    assert "<img" not in text
    said = section_of(text, "table-2")
    assert said.count("&lt;script&gt;document") >= 3  # title, case, error
    assert text.count("<script") == 1


def test_hostile_words_stay_words_in_a_figure():
    figure = Figure()
    figure.add_subplot(title=HOSTILE, xlabel="a < b & c")
    svg = inline_svg(figure, "x", HOSTILE)
    assert "<script" not in svg
    assert "&lt;script&gt;" in svg


def test_only_the_pages_own_script_may_run(page):
    text = page.read_text()
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1]
    assert f"sha256-{digest}" in policy.replace("&#39;", "'")
    assert "default-src &#39;none&#39;" in policy


def test_nothing_comes_from_the_network(page):
    text = re.sub(r"<svg.*?</svg>", "", page.read_text(), flags=re.DOTALL)
    found = re.findall(r'(?:src|href)="([^"#]+)"', text)
    outside = {link for link in found if "//" in link}
    assert outside <= {"https://arxiv.org/abs/2510.27004"}
    assert "@import" not in text
    assert "url(" not in text


# --- the command ----------------------------------------------------------------------------------


def test_same_tables_same_bytes(page, folder, tmp_path):
    command = [sys.executable, "-m", "motsim.report", "rates", "mine", "coverage"]
    done = subprocess.run(
        [*command, "--out", str(folder), "--to", str(folder / "again.html")],
        env={**os.environ, "PYTHONHASHSEED": "7"}, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert (folder / "again.html").read_bytes() == page.read_bytes()
    pages = []  # control: one other number, other bytes
    for value in (0.5, 0.25):
        store_mine(tmp_path, name=f"mine{value}", result=Result("done", {"x": value}))
        assert main([f"mine{value}", "--out", str(tmp_path)]) == 0
        pages.append((tmp_path / "report.html").read_text().replace(f"mine{value}", "mine"))
    assert pages[0] != pages[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["coverag"], "unknown name 'coverag'; did you mean 'coverage'?"),
        (["coverage"], "no table of coverage in"),
        ([], "no table in"),
        (["--to"], "--to: expected one argument"),
        (["--too", "x"], "did you mean --to?"),
    ],
)
def test_a_wrong_call_is_one_line(tmp_path, capsys, arguments, words):
    try:
        code = main([*arguments, "--out", str(tmp_path)] if "--to" not in arguments else arguments)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    message = capsys.readouterr().err
    assert words in message
    assert message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("target", ["", "nowhere/page.html"])
def test_a_page_that_cannot_be_written_is_one_line(folder, tmp_path, capsys, target):
    assert main(["mine", "--out", str(folder), "--to", str(tmp_path / target)]) == 2
    message = capsys.readouterr().err
    assert "choose another with --to" in message
    assert message.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (b"{", "cannot be read"),
        (b"[]", "cannot be read"),
        (b'{"schema": 1}', "has schema 1"),
        (b"\xff", "cannot be read"),
    ],
)
def test_a_damaged_table_is_said_and_the_others_are_shown(
    no_figures, tmp_path, capsys, damage, words
):
    store_tables(tmp_path, "rates", headline, seeds=3)
    store_mine(tmp_path)
    (tmp_path / "mine.json").write_bytes(damage)
    assert main(["rates", "mine", "--out", str(tmp_path)]) == 1
    text = (tmp_path / "report.html").read_text()
    assert words in plain(section_of(text, "table-2"))
    assert "7 hold" in plain(section_of(text, "rates"))
    assert capsys.readouterr().err.startswith("mine: ")


def test_tables_of_another_sweep_under_a_claims_name_are_a_line(tmp_path):
    store_mine(tmp_path, name="rate-mot")
    section = collect("rate-mot", tmp_path, tmp_path)
    assert section.alarm
    assert section.problems
    assert not any(finding.as_expected for finding in section.findings)
    render([section])


# --- in a browser ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture
def shown(browser, page):
    emulate(browser)
    console_errors(browser)  # forget those of other pages
    browser.get(page.as_uri())
    return browser


BROKEN = """<!doctype html><meta name="viewport" content="width=device-width">
<style>body {background: #fff} @media (prefers-color-scheme: dark) {body {background: #333}}</style>
<p id="a" style="color: #888">faint</p><p id="a" style="font-size: 10px">small</p>
<div style="width: 2000px">wide</div>
<svg viewBox="0 0 500 100" width="300"><text x="0" y="20" style="font-size: 8px">drawn</text></svg>
<a href="#b">nowhere</a><script>throw new Error("on purpose")</script>"""


def test_the_checks_see_a_broken_page(browser, tmp_path):
    """Negative control of all checks below."""
    (tmp_path / "broken.html").write_text(BROKEN)
    emulate(browser, 360)
    browser.get((tmp_path / "broken.html").as_uri())
    assert "on purpose" in console_errors(browser)[0]
    assert any("DIV" in line for line in too_wide(browser))
    assert [line for line in too_small(browser, drawn=False) if "'small' 10.0" in line]
    assert [line for line in too_small(browser, drawn=True) if "'drawn' 4.8" in line]
    assert any("'faint' 3.5" in line for line in too_faint(browser))
    emulate(browser, 360, "dark")
    assert any("'wide' 1.6" in line for line in too_faint(browser))  # black on dark grey
    assert bad_ids(browser) == ["twice: a", "nowhere: b"]


def test_no_errors_and_sound_ids(shown):
    assert console_errors(shown) == []
    assert bad_ids(shown) == []
    assert shown.title.startswith("motsim report: 7 hold")  # not broken into


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_everything_is_legible(shown, width, scheme):
    emulate(shown, width, scheme)
    shown.refresh()
    assert too_wide(shown) == []
    assert too_faint(shown) == []
    assert too_small(shown, drawn=False) == []
    if width < 1000:
        assert too_small(shown, drawn=True)  # fitted to the width, until it is enlarged
        for button in shown.find_elements("css selector", "button.enlarge"):
            button.click()
        assert too_wide(shown) == []
    assert too_small(shown) == []


def test_without_its_script_the_page_shows_all(browser, page, tmp_path):
    text = re.sub(r"<script>.*?</script>", "", page.read_text(), flags=re.DOTALL)
    (tmp_path / "plain.html").write_text(text)
    emulate(browser, 360)
    browser.get((tmp_path / "plain.html").as_uri())
    assert too_small(browser) == []
    assert too_wide(browser) == []
    assert not browser.find_element("tag name", "form").is_displayed()
    assert len(column(browser, "case")) == 9


def column(browser, name):
    """Seen texts of a column of the table of all findings."""
    cells = browser.find_elements("css selector", f"table.sortable td.{name}")
    return [cell.text for cell in cells if cell.is_displayed()]


def head(browser, name):
    heads = browser.find_elements("css selector", "table.sortable thead th")
    return next(each for each in heads if each.text.startswith(name))


def test_sorting_up_down_by_number_and_by_word(shown):
    unsorted = column(shown, "case")
    value = head(shown, "Value")
    button = value.find_element("tag name", "button")
    button.click()
    assert value.get_attribute("aria-sort") == "ascending"
    script = """return [...document.querySelectorAll("table.sortable td.number")].map(
        (cell) => cell.dataset.sort === "" ? null : Number(cell.dataset.sort))"""
    up = shown.execute_script(script)
    numbers = [number for number in up if number is not None]
    assert up[-1] is None  # no number goes last
    assert numbers == sorted(numbers)
    assert max(numbers) > 10 > 1 > min(numbers)  # where the order of words is another
    button.click()
    assert value.get_attribute("aria-sort") == "descending"
    down = shown.execute_script(script)
    assert down == [*reversed(numbers), None]
    case = head(shown, "Case")
    case.find_element("tag name", "button").click()
    assert value.get_attribute("aria-sort") == "none"
    assert (
        column(shown, "case") == sorted(unsorted, key=lambda c: c.replace("16", "99")) != unsorted
    )


def test_filtering_by_verdict_claim_and_text(shown):
    from selenium.webdriver.support.select import Select

    def said():
        return shown.find_element("tag name", "output").text

    assert said() == "9 of 9 findings"
    Select(shown.find_element("name", "verdict")).select_by_visible_text("fails")
    assert column(shown, "case") == ["mot-logistic"]
    assert said() == "1 of 9 findings"
    shown.find_element("css selector", "button[type=reset]").click()
    shown.find_element("name", "text").send_keys("SINGLE logistic")
    assert len(column(shown, "case")) == 3
    Select(shown.find_element("name", "recorded")).select_by_visible_text("not as recorded")
    assert column(shown, "case") == []
    assert said() == "0 of 9 findings"


def test_the_keyboard_suffices(shown):
    from selenium.webdriver import ActionChains, Keys

    def press(*keys):
        ActionChains(shown).send_keys(*keys).perform()

    def here(script="return document.activeElement.textContent.trim()"):
        return shown.execute_script(script)

    press(Keys.TAB)
    assert here() == "Skip to the findings"
    press(Keys.ENTER)
    assert here("return document.activeElement.id") == "main"
    seen = []
    for _ in range(60):
        press(Keys.TAB)
        seen.append(
            here("return document.activeElement.tagName + document.activeElement.className")
        )
        outline = here("return getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", seen
        if here("return document.activeElement.name || ''") == "verdict":
            press("f")
            assert column(shown, "case") == ["mot-logistic"]
            press("a")
        if here() == "Value":
            press(Keys.SPACE)
            assert head(shown, "Value").get_attribute("aria-sort") == "ascending"
        if seen[-1].startswith("SUMMARY"):
            press(Keys.ENTER)
            assert here("return document.activeElement.parentElement.open")
            break
    assert {"SELECT", "INPUT", "BUTTON", "DIVscroll tall", "DIVpicture"} <= set(seen)


def test_it_prints_whole(shown):
    emulate(shown, 794, media="print")
    assert too_wide(shown) == []
    assert too_faint(shown) == []
    assert not shown.find_element("tag name", "form").is_displayed()
    assert len(column(shown, "case")) == 9
    box = shown.find_element("css selector", ".scroll.tall")
    assert shown.execute_script(
        "return arguments[0].scrollHeight <= arguments[0].offsetHeight", box
    )
    assert shown.execute_cdp_cmd("Page.printToPDF", {})["data"].startswith("JVBERi")  # %PDF
