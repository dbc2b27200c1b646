"""Generated wrong calls: one line on standard error, exit code 2, no more.

Numbers come from `MOTSIM_FAULT_SEED`.
"""

import random

import pytest

from motsim.commands.compare import main as compare
from motsim.commands.completion import main as completion
from motsim.commands.explain import main as explain
from motsim.commands.new import main as new
from motsim.commands.table import main as table
from motsim.plans.loading import sweep_names
from motsim.printing import CONTROL
from motsim.rates.__main__ import main as rates
from motsim.repair import main as repair
from motsim.report.__main__ import main as report
from motsim.sweep import main as sweep
from motsim.verify import main as verify
from tests.faults.harness import SEED, word
from tests.refusals import refusal

pytestmark = pytest.mark.timeout(300)
CALLS = 40  # of 300
slow = pytest.mark.slow


def numbered(bounded, whole):
    return [pytest.param(k, marks=[] if k < bounded else slow) for k in range(whole)]


COMMANDS = {
    "sweep": (sweep, ["--tier", "--seed-start", "--jobs", "--backend", "--progress", "--seeds",
                      "--shard", "--case", "--set"]),
    "verify": (verify, ["--tier", "--seed-start", "--jobs", "--backend", "--progress", "--blocks"]),
    "rates": (rates, ["--floor", "--level", "--passage", "--range", "--at", "--plot"]),
    "report": (report, ["--to"]),
    "repair": (repair, []),
    "compare": (compare, []),
    "table": (table, ["--columns"]),
    "explain": (explain, []),
    "completion": (completion, []),
    "new": (new, []),
}  # fmt: skip
#: No value of any of these options.
VALUES = ["", "-1", "0.5.5", "nan%", "none", "1e", "\x1b[31m", "a\nb", "\u202e", "\udcff", "=1+1"]


def typo(rng, text):
    """A word with one letter lost, doubled or changed, which is none that is known."""
    spot = rng.randrange(len(text))
    return text[:spot] + rng.choice(["", text[spot] * 2, "q"]) + text[spot + 1 :]


def wrong_call(rng, place):
    """A command, and words that cannot be meant."""
    name = rng.choice([*COMMANDS, "sweep", "sweep", "verify", "rates"])
    main, options = COMMANDS[name]
    nowhere = str(place / word(rng).replace("/", "").replace("\n", ""))
    known = sweep_names()
    ways = ["option", "value", "name", "extra"]
    way = rng.choice(ways if options else ["option", "name", "extra"])
    if way == "option":
        words = ["--" + typo(rng, rng.choice(options or ["--out"])[2:]) + "q", "1"]
        words = [*([nowhere] if name in ("rates", "repair", "table") else []), *words]
    elif way == "value":
        option, value = rng.choice(options), rng.choice(VALUES)
        if option == "--range":
            words = [nowhere, option, value, "1"]
        elif option == "--to":
            words = [option, str(place / "no" / "such" / "folder"), "--out", nowhere]
        elif option == "--columns":
            words = ["x", option, value, "--out", nowhere]
        else:
            words = [option, value]
            words = [nowhere, *words] if name == "rates" else words
    elif name in ("sweep", "verify"):
        words = [rng.choice([typo(rng, rng.choice(known)) + "q", word(rng), nowhere + ".toml"])]
        words += ["--out", str(place / "out")]
        words += rng.choice([[], ["--dry-run"], ["--tier", "full"]]) if name == "sweep" else []
    elif name == "report":
        words = [typo(rng, rng.choice(known)) + "q", "--out", nowhere]
    elif name == "compare":
        words = [nowhere, nowhere + "q"]
    elif name == "table":
        words = [word(rng), "--out", nowhere]
    elif name == "new":
        words = [nowhere, "--like", "nothing"]
    else:
        words = [nowhere]
    if way == "extra":
        words += [rng.choice(["--help-me", "--out-of", "---", "--\x1b[31m"]), word(rng)]
    return main, words


@pytest.fixture(scope="module")
def emptied(tmp_path_factory):
    place = tmp_path_factory.mktemp("generated")
    yield place
    assert not list(place.iterdir())  # a wrong call leaves nothing


@pytest.mark.parametrize("number", numbered(CALLS, 300))
def test_a_wrong_call_is_one_line(emptied, number, capsys):
    main, words = wrong_call(random.Random(f"{SEED} call {number}"), emptied)
    told = refusal(main, words, capsys)
    assert not CONTROL.search(told.removesuffix("\n")), (words, told)


def test_control_right_calls_are_none(tmp_path, capsys):
    assert sweep(["similarity", "--dry-run", "--out", str(tmp_path)]) == 0
    assert explain(["similarity"]) == 0
    with pytest.raises(AssertionError):
        refusal(explain, ["similarity"], capsys)
