"""Tables of words beside the claims: every reason is of a case that is recorded."""

import re

from motsim.claims import claim_names
from motsim.claims._recorded import recorded
from motsim.claims._words import ROOM, rows_of


def lost(reasons):
    """Reasons of no claim, or of none of its cases: these begin with the reason's first word."""
    return [
        (claim, case)
        for claim, case, _ in reasons
        if claim not in claim_names()
        or not any(
            known.startswith(re.split(r"[:,]", case)[0]) for known in recorded(claim, "full")
        )
    ]


def test_every_reason_is_of_a_recorded_case():
    reasons = rows_of(ROOM / "reasons.csv")
    assert len(reasons) > 30
    assert len({(claim, case) for claim, case, _ in reasons}) == len(reasons)
    assert lost(reasons) == []
    assert lost([["routing", "cubical", "x"], ["rout", "cubic", "x"]]) == [  # controls
        ("routing", "cubical"), ("rout", "cubic"),
    ]  # fmt: skip
