"""Whatever stands in a sweep file, it is refused in one line or read."""

import difflib
import string
import tomllib

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from motsim.plans.loading import load_sweep
from motsim.plans.plan import SweepError
from tests.plans.wrong_files import FIELDS, SMALL, TYPOS


def check_never_another_exception(folder, content):
    path = folder / "mutant.toml"
    path.write_bytes(content)
    message = "mutant.toml"
    try:
        assert load_sweep(str(path)).cells("full")
    except SweepError as refused:
        message = str(refused)
    assert "\n" not in message
    assert "mutant.toml" in message


PIECES = ["=", "[", "]", "'", '"', "\n", "0", "-", "1e400", "nan", "true", "[[1]]", "{a=1}", "\\n"]
PIECES += ["grid", "case", "tier", "fixed", "seeds", "preset", "1979-05-27", "\x00", "\udcff", "é"]


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    edits=st.lists(
        st.tuples(st.integers(0, len(SMALL)), st.integers(0, 12), st.sampled_from(PIECES)),
        min_size=1,
        max_size=4,
    )
)
@example(edits=[(0, 0, "\ufeff")])
def test_a_mutated_file_never_gives_another_exception(tmp_path, edits):
    text = SMALL
    for place, length, piece in edits:
        text = text[:place] + piece + text[place + length :]
    check_never_another_exception(tmp_path, text.encode("utf-8", "surrogateescape"))


TOML_VALUES = st.recursive(
    st.one_of(
        st.booleans(),
        st.integers(-(10**30), 10**30),
        st.floats(allow_nan=True, allow_infinity=True),
        st.text(string.ascii_letters + " \n'é", max_size=8),
    ),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=4,
)


def as_toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\n", "\\n") + '"'
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    return repr(value)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    values=st.dictionaries(
        st.one_of(st.sampled_from([*FIELDS, "seeds", "grid"]), st.text("ab\n.", max_size=3)),
        TOML_VALUES,
        min_size=1,
        max_size=2,
    ),
    table=st.sampled_from(["[fixed]", "[grid]", "[case.a]", "[case.a.grid]", "[tier.full]", ""]),
)
def test_random_values_never_give_another_exception(tmp_path, values, table):
    lines = [f"{as_toml(key)} = {as_toml(value)}" for key, value in values.items()]
    text = "title = 'x'\n" + "\n".join([table, *lines])
    tomllib.loads(text)
    check_never_another_exception(tmp_path, text.encode())


def test_mutants_are_mostly_refused():
    """Negative control of the helpers: the typos are near their words, and words differ."""
    for field in FIELDS:
        for typo in TYPOS.values():
            assert difflib.SequenceMatcher(None, typo(field).lower(), field).ratio() > 0.5
