"""The report of all claims, as a reader gets it: legible at every width, and of a bounded size."""

import pytest

from motsim.claims import claim_names
from motsim.report.__main__ import main
from tests.report.page_checks import (
    bad_ids,
    chromium,
    console_errors,
    emulate,
    too_faint,
    too_small,
    too_wide,
)

LARGEST = 6e6  # bytes

#: Numbers on the cells of a map, whose color the check does not know.
ON_A_MAP = "'-"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_whole_report_is_legible(run_sweep, results, tmp_path):
    for name in claim_names():
        run_sweep(name)
    place = tmp_path / "report.html"
    assert main([*claim_names(), "--out", str(results), "--to", str(place)]) == 0
    assert place.stat().st_size < LARGEST
    with chromium(tmp_path / "profile") as browser:
        browser.get(place.as_uri())
        assert bad_ids(browser) == []
        for width in (1280, 360):
            for scheme in ("light", "dark"):
                emulate(browser, width, scheme)
                assert too_wide(browser) == []
                faint = [text for text in too_faint(browser) if not text.startswith(ON_A_MAP)]
                assert faint == []
                assert too_small(browser, drawn=False) == []
        for button in browser.find_elements("css selector", "button.enlarge"):
            button.click()
        assert too_small(browser) == []
        assert console_errors(browser) == []
