"""Headline: MoT needs O(log 1/eps) steps where one transformer needs a power of 1/eps.

Assumptions: N = 4 classes in d = 24, three tokens, no noise; expected loss over the population.
The mixture trains in three stages with expected routing, its steps counted from the start of the
last one; a single transformer trains all parameters from the first step.
Statement: the mixture's T(eps) is a logarithm of 1/eps; a single transformer's is a power.
Kind: upper.
Source: arXiv:2510.27004, abstract (quoted).
"""

from motsim.claims import Claim, Finding, Verdict
from motsim.claims._powers import power_findings
from motsim.claims._rates import depth_finding, rate_finding
from motsim.claims._undecided import needs
from motsim.results.tables import Tables

__all__ = ["CLAIM", "conclusion", "judge"]

CLAIM = Claim(
    statement=(
        "A mixture of transformers reaches expected loss eps in O(log(1/eps)) steps; a single"
        " transformer needs O(1/eps)."
    ),
    source="arXiv:2510.27004, abstract",
    origin="quoted",
    prediction="T(eps) follows the log law for mot, a power law for single (squared loss)",
    kind="upper",
)

DEEP = "log to the end"
#: Case -> law that would make the claim hold.
LAWS = {
    "mot-squared": "log", "mot-squared-deep": DEEP,
    "mot-linear-squared": "log", "mot-linear-squared-deep": DEEP,
    "mot-linear-squared-untrained-attention": DEEP,
    "mot-logistic": "log",
    **{f"single-{h}-{loss}": "power" for loss in ("squared", "logistic") for h in (1, 4, 16)},
}  # fmt: skip


def conclusion(findings: list[Finding]) -> list[str]:
    """Say what was found: three lines that need only the abstract, then how far each goes."""
    found = {finding.case: finding for finding in findings}
    if not set(LAWS) <= set(found):
        return []
    words = {
        Verdict.HOLDS: "holds",
        Verdict.FAILS: "does not hold",
        Verdict.INCONCLUSIVE: "is undecided",
    }

    def rate(case: str, name: str) -> str:
        return f"{words[found[case].verdict]} for {name} ({found[case].measured})"

    def end(case: str) -> str:
        value, verdict = found[case].interval.value, found[case].verdict
        return f"{value:.0e}" + (" at least" if verdict == Verdict.HOLDS else "")

    def heads(loss: str) -> str:
        return ", ".join(
            f"{h} head{'s' * (h > 1)} {words[finding.verdict]}"
            + f" (p = {finding.interval.value:.2f})" * (finding.verdict != Verdict.INCONCLUSIVE)
            for h in (1, 4, 16)
            for finding in [found[f"single-{h}-{loss}"]]
        )

    squared, logistic, linear = found["mot-squared"], found["mot-logistic"], "mot-linear-squared"
    deep = f", to eps = {end('mot-squared-deep')}" if squared.verdict == Verdict.HOLDS else ""
    power = (
        f": like eps^-{logistic.interval.value:.2f}" if logistic.verdict == Verdict.FAILS else ""
    )
    powers = [found[case].verdict for case in LAWS if case.startswith("single")]
    below = found.get("single-16-squared-deep")
    ended = below is not None and below.verdict == Verdict.FAILS
    tail = f"; further down, 16 heads: {below.measured}" if below and ended else ""
    single = f"{powers.count(Verdict.HOLDS)} of {len(powers)} settings"
    return [
        f"Mixture, squared loss: O(log 1/eps) {words[squared.verdict]}{deep}.",
        f"Mixture, logistic loss: O(log 1/eps) {words[logistic.verdict]}{power}.",
        f"One transformer: a power of 1/eps holds in {single}"
        + (f", to the end in {powers.count(Verdict.HOLDS) - 1}." if ended else "."),
        f"Mixture, squared loss, in full: {rate('mot-squared', 'cubic experts')};"
        f" {rate(linear, 'linear experts')}. The logarithm goes down to eps ="
        f" {end('mot-squared-deep')} (cubic), {end(f'{linear}-deep')} (linear),"
        f" {end(f'{linear}-untrained-attention')} (linear, attention never trained).",
        f"One transformer, in full. Logistic loss: {heads('logistic')}."
        f" Squared loss: {heads('squared')}{tail}.",
    ]


@needs(CLAIM, "case epsilon stage_step")
def judge(tables: Tables) -> list[Finding]:
    """Judge every case of the headline sweep."""
    findings = []
    for case, rows in tables.main.groupby("case", sort=False):
        name, law = str(case), LAWS.get(str(case), "log")
        if law == DEEP:
            findings.append(depth_finding(name, rows))
        elif law == "power":
            findings += power_findings(name, rows)
        else:
            findings.append(rate_finding(name, rows, law, limit=name.endswith("logistic")))
    return findings
