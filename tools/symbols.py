"""The symbols in the formulas of lessons and decks, and the table of lesson 00 that says what each of them means.

A symbol is a letter, Latin or Greek, with what makes it another one: an accent (``\\hat k``), a script
(``\\mathcal D``), a prime (``\\theta'``) or an index with which it has a row of its own (``s_0``). Other indices, and
exponents, are symbols by themselves. Operators (``\\sum``), functions (``\\ln``), words (``\\text{MAP}``) and numbers
(e and π too) are none; a word such as ``\\operatorname{KL}`` is a symbol only if the table has a row for it.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from tools import text

GREEK = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau phi chi psi omega ell"
ACCENTS = "hat bar tilde vec dot overline widehat widetilde mathcal mathbb mathbf boldsymbol Delta"
WORDS = "text operatorname mathrm textrm mathsf"
DROPPED = "begin end color hspace label tag"  # with their argument
NUMBERS = {"e", r"\mathrm d"}  # Euler's number, and the d of an integral
TOKEN = re.compile(r"\\\\(?:\[[^\]]*\])?|\\[A-Za-z]+|\\.|\S")
ROW = re.compile(r"^\| (?P<symbols>\$.+?\$) \| (?P<meaning>.+) \| \w+ (?P<first>\d\d|[A-Z]) \|$", re.MULTILINE)


class Row(NamedTuple):
    """A row of the table: the symbols that it explains, what they mean, and the lesson that uses them first."""

    symbols: list[str]
    meaning: str
    first: str


def table(source: str) -> list[Row]:
    """Return the table of symbols in the text of lesson 00; ``$q(\\theta)$`` explains q, ``$s_0$`` explains s_0."""
    rows = [(text.MATH.findall(found["symbols"]), found["meaning"], found["first"]) for found in ROW.finditer(source)]
    return [Row([next(_symbols(f, None)) for f in formulas], meaning, first) for formulas, meaning, first in rows]


def symbols_of(markdown: str, known: set[str]) -> set[str]:
    """Return the symbols in the formulas of a text, and the Greek letters outside them; `known` have rows."""
    prose = text.without_markup(markdown)
    greek = {_command(letter) for letter in re.findall(r"[α-οΑ-ΟΡ-Ωρ-ω]", prose)}
    return greek.union(*(_symbols(formula, known) for formula in text.MATH.findall(prose)))


def _command(letter: str) -> str:
    """Return the command of a Greek letter: ``\\sigma`` of σ."""
    name = unicodedata.name(letter).removeprefix("GREEK ").replace("LAMDA", "LAMBDA")
    return f"\\{name.split()[-1].lower() if name.startswith('SMALL') else name.split()[-1].capitalize()}"


def _symbols(formula: str, known: set[str] | None) -> Iterator[str]:
    """Yield the symbols of a formula; with `known` None, every index and prime belongs to its symbol."""
    tokens = TOKEN.findall(formula.strip("$"))
    while tokens:
        token = tokens.pop(0)
        if _is(token, DROPPED):
            _argument(tokens)
            continue
        symbol = _letter(token, tokens)
        if symbol is None or symbol in NUMBERS:
            continue
        index = _join(_argument(tokens[1:])) if tokens[:1] == ["_"] else ""
        if index and (known is None or f"{symbol}_{index}" in known):
            symbol = f"{symbol}_{index}"
            tokens.pop(0)
            _argument(tokens)
        if tokens[:1] == ["'"]:
            prime = tokens.pop(0)
            symbol += prime if known is None or symbol + prime in known else ""
        is_word = len(symbol.partition("_")[0].strip("'")) > 1 and symbol[0] != "\\"
        if not is_word or known is None or symbol in known:
            yield symbol


def _is(token: str, names: str) -> bool:
    """Say whether a token is one of the commands with these names."""
    return token[:1] == "\\" and token[1:] in names.split()


def _letter(token: str, tokens: list[str]) -> str | None:
    """Return the letter or word that begins with a token, with its accent; it is taken off the tokens that follow."""
    if _is(token, WORDS):
        word = _join(_argument(tokens))
        return word if len(word) > 1 else f"\\mathrm {word}" if word.isalpha() else None
    if _is(token, ACCENTS) and (token != r"\Delta" or "".join(tokens[:1]).isalpha()):
        return f"{token} {_join(_argument(tokens))}"
    return token if token.isalpha() or _is(token.lower().replace("\\var", "\\"), GREEK) else None


def _argument(tokens: list[str]) -> list[str]:
    """Take the argument of a command off the tokens: one token, or what stands in braces."""
    taken, depth = [], 0
    while tokens:
        token = tokens.pop(0)
        depth += (token == "{") - (token == "}")
        taken.append(token)
        if depth == 0 and not _is(token, WORDS):
            break
    return taken


def _join(tokens: list[str]) -> str:
    """Write tokens in one way, whatever braces and words they were written with."""
    return "".join(token for token in tokens if not _is(token, WORDS) and token not in "{}")


def problems(rows: list[Row], used: dict[str, set[str]], strict: set[str]) -> list[str]:
    """Return what is wrong with the table, given what each lesson uses; only `strict` lessons use nothing else."""
    known = [symbol for row in rows for symbol in row.symbols]
    found = [f"lesson {n}: {s} is not in the table of lesson 00" for n in strict for s in used[n] - {*known}]
    found += [f"{symbol} has two rows in the table" for symbol in {*known} if known.count(symbol) > 1]
    found += [f"{symbol} is used by no lesson" for symbol in {*known}.difference(*used.values())]
    for row in rows:
        users = [n for n in used if {*row.symbols} & used[n] and (n in strict or n == row.first)]
        if users[:1] != [row.first]:
            found.append(f"{row.symbols[0]} does not come first in lesson {row.first}, but in {users[:1] or 'none'}")
    return sorted(found)
