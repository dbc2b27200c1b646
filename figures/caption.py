"""The caption of a figure: what is drawn, what is claimed, and what came out, as LaTeX takes it."""

import re
from dataclasses import dataclass
from pathlib import Path

from motsim.claims import claim_module, claim_names
from motsim.claims._recorded import judged
from motsim.claims._sentence import sentence
from motsim.claims._stored import claim_of_tables
from motsim.claims._words import words_of
from motsim.figures import ANY, figure_module
from motsim.plans.changes import Changes, split_table
from motsim.results.store import FAILED
from motsim.results.tables import Tables

__all__ = ["Caption", "caption", "latex"]

#: Sign -> LaTeX, within text.
SIGNS = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "#": r"\#", "_": r"\_", "{": r"\{",
    "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "$": r"\$",
    "<": r"$<$", ">": r"$>$",
    "ε": r"$\varepsilon$", "η": r"$\eta$", "ρ": r"$\rho$", "γ": r"$\gamma$", "τ": r"$\tau$",
    "α": r"$\alpha$", "β": r"$\beta$", "σ": r"$\sigma$", "λ": r"$\lambda$", "κ": r"$\kappa$",
    "θ": r"$\theta$", "μ": r"$\mu$", "π": r"$\pi$", "∇": r"$\nabla$", "∞": r"$\infty$",
    "−": r"$-$", "≤": r"$\le$", "≥": r"$\ge$", "×": r"$\times$", "·": r"$\cdot$",
    "≈": r"$\approx$", "±": r"$\pm$", "√": r"$\surd$", "∝": r"$\propto$", "∈": r"$\in$",
    "≠": r"$\ne$", "→": r"$\to$", "⟨": r"$\langle$", "⟩": r"$\rangle$", "²": r"$^2$",
    "³": r"$^3$", "⁶": r"$^6$", "–": "--", "…": r"\dots{}", "ü": r"\"u", "é": r"\'e",
}  # fmt: skip


@dataclass(frozen=True)
class Caption:
    """Caption of the figures of one sweep.

    Attributes
    ----------
    title : str
        The claim in one sentence; without a claim, what is drawn.
    text : str
        What is drawn, then what came out.
    """

    title: str
    text: str

    def latex(self, label: str) -> str:
        r"""Return ``\caption{...}`` and a label, for a figure environment."""
        return f"\\caption{{{latex(self.text)}}}\n\\label{{fig:{label}}}\n"


def caption(name: str, tables: Tables, folder: Path) -> Caption:
    """Judge the tables and say it; a claim that cannot be judged is captioned without verdict.

    A sweep's own picture is captioned by the title, axes and runs of the sweep.
    """
    drawn = _first(figure_module(name).__doc__ or name)
    module = claim_module(name) if name in claim_names() else None
    if name == ANY:
        drawn = _own(tables)
        altered = Changes.described(tables.name, tables.meta)
        if not (altered.sets or altered.cases):
            module = claim_of_tables(tables.name, tables.meta, folder)
    if module is None:
        return Caption(str(tables.meta.get("title", drawn)) if name == ANY else drawn, drawn)
    claim = module.CLAIM
    try:
        findings = judged(split_table(tables.name)[0], tables, module)
        said = sentence(findings, words_of(module))
    except (LookupError, ValueError, TypeError, ArithmeticError):
        said = ""
    statement = claim.statement.rstrip(".")
    parts = [drawn, f"Claim: {statement}.", said]
    return Caption(statement, " ".join(part for part in parts if part))


def latex(text: str) -> str:
    r"""Return words that LaTeX sets as they are read.

    Examples
    --------
    >>> print(latex("5 % of ε_0"))
    5 \% of $\varepsilon$\_0
    """
    return "".join(SIGNS.get(sign, sign) for sign in text)


def _own(tables: Tables) -> str:
    """Say what the picture of any sweep shows: its title, axes, runs, and what is left out."""
    title = str(tables.meta.get("title", tables.name)).rstrip(".")
    runs = tables.runs
    axes = [n for n in tables.labels if n != "seed" and runs[n].nunique(dropna=False) > 1]
    words = [name.replace("_", " ") for name in axes]
    by = f" by {', '.join(words)}" if words else ""
    seeds = runs["seed"].nunique() if "seed" in runs else 1
    runs = runs.drop_duplicates("run")
    lost = int(runs["status"].isin((*FAILED, "diverged")).sum())
    without = f"; {lost} that failed or diverged are not drawn" if lost else ""
    plural = "s" if seeds != 1 else ""
    count = f"{len(runs):,} runs{by}, {seeds:,} seed{plural} at most"
    return f"{title}: {count}, a line a run{without}."


def _first(text: str) -> str:
    return re.sub(r"\s+", " ", text.split("\n\n")[0]).strip()
