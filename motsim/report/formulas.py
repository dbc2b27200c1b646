"""Symbols of a sentence as MathML: ``eps^-p`` is read as a Greek letter with an exponent."""

import re

from markupsafe import Markup, escape

__all__ = ["formulas"]

GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "epsilon": "ε", "eps": "ε", "eta": "η", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "ε": "ε", "ρ": "ρ",
}  # fmt: skip
SUPERSCRIPT = r"\^(?:\((?P<braced>[^()^]+)\)|(?P<bare>-?\w+(?:/\d+)?))"
SYMBOL = re.compile(
    rf"(?<![\w^\].])(?:1e(?P<ten>-\d+)(?![\w.])|sqrt\((?P<root>[^()]+)\)"
    rf"|(?P<letter>{'|'.join(GREEK)}|\d+(?=\^)|[A-Za-z](?=[_^]))"
    rf"(?:_(?P<index>[A-Za-z0-9]{{1,5}}))?(?:{SUPERSCRIPT})?(?![\w^]))"
)


def formulas(text: str) -> Markup:
    """Return words with their symbols as MathML; whatever else is in them stays text.

    >>> print(formulas("N^2 < 5"))
    <math><msup><mi>N</mi><mn>2</mn></msup></math> &lt; 5
    """
    parts, end = [], 0
    for found in SYMBOL.finditer(text):
        parts += [escape(text[end : found.start()]), Markup(f"<math>{_symbol(found)}</math>")]
        end = found.end()
    return Markup("").join([*parts, escape(text[end:])])


def _symbol(found: re.Match[str]) -> str:
    if root := found["root"]:
        return f"<msqrt>{_row(root)}</msqrt>"
    if ten := found["ten"]:
        return f"<msup><mn>10</mn>{_row(ten)}</msup>"
    base, index = _leaf(found["letter"]), found["index"]
    power = found["braced"] or found["bare"]
    if index and power:
        return f"<msubsup>{base}{_row(index)}{_row(power)}</msubsup>"
    if index:
        return f"<msub>{base}{_row(index)}</msub>"
    return f"<msup>{base}{_row(power)}</msup>" if power else base


def _row(text: str) -> str:
    leaves = [_leaf(part) for part in re.findall(r"\d+(?:\.\d+)?|[^\W\d]+|\S", text)]
    return leaves[0] if len(leaves) == 1 else f"<mrow>{''.join(leaves)}</mrow>"


def _leaf(text: str) -> str:
    if text[0].isdigit():
        return f"<mn>{text}</mn>"
    if text[0].isalpha():
        return f"<mi>{escape(GREEK.get(text, text))}</mi>"
    return f"<mo>{escape({'-': '−'}.get(text, text))}</mo>"
