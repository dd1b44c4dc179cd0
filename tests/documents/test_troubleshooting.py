"""The page by message: what it quotes is what the code says, and what the code says most is on the page."""

from __future__ import annotations

import ast
import errno
import functools
import re

import pytest

from abq_data_entry.models import errors as of_the_database
from abq_data_entry.network import failures as of_the_network
from tests.test_documents import ROOT, text_of

pytestmark = pytest.mark.xdist_group("texts of the code")  # one worker reads them all

PAGE = ROOT / "docs/troubleshooting.md"
SYMPTOMS = "What looks wrong"
_BRACES = re.compile(r"\{[^}]*\}")
_GAP = "\0"
"""In the place of what differs, in a text of the code."""


def rows() -> list[tuple[str, str]]:
    """The section and the first cell of each row."""
    found, section = [], ""
    for line in text_of(PAGE).splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif line.startswith("| ") and not line.startswith(("| what it says", "| what you see")):
            found.append((section, re.split(r"(?<!\\) \| ", line.strip("| "))[0]))
    return found


QUOTES = [quote for section, cell in rows() if section != SYMPTOMS for quote in re.findall(r"`([^`]+)`", cell)]


@functools.cache
def texts() -> tuple[str, ...]:
    """Every text in the code, with a gap where something is put in."""
    found: set[str] = set()
    for file in (ROOT / "abq_data_entry").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = (str(part.value) if isinstance(part, ast.Constant) else _GAP for part in node.values)
                found.add(_BRACES.sub(_GAP, "".join(parts)))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(_BRACES.sub(_GAP, node.value.replace("%r", _GAP)))
    return tuple(" ".join(each.split()) for each in found if len(each) > 10)


@functools.cache
def lines() -> str:
    """All of them, one in each line: a search of one long text is faster than a search of each."""
    return "\n".join(texts())


@functools.cache
def pattern(quote: str) -> re.Pattern[str]:
    """What is quoted, with anything in its braces and in the code's gaps."""
    parts = (re.escape(part) for part in _BRACES.split(quote))
    return re.compile(".*?".join(parts).replace("':'", f"(?:':'|{_GAP})"))


def test_each_row_quotes_a_message() -> None:
    assert not [cell for section, cell in rows() if section != SYMPTOMS and "`" not in cell]


def said_by_the_code(quote: str) -> bool:
    """Whether a text in the code says it, with anything in the quote's braces and in the text's gaps."""
    if re.search(pattern(quote).pattern.removeprefix(".*?"), lines()):  # what may stand before it costs time only
        return True
    names = [each for each in texts() if len(each) > 12 and quote.startswith(f"{each} ")]
    named = [name + each[1:] for each in texts() if each.startswith(_GAP) for name in names]  # of one file, of another
    if any(map(pattern(quote).search, named)):
        return True
    return any(_across_gaps(quote, each) for each in (*texts(), *named) if _GAP in each)


def _across_gaps(quote: str, text: str) -> bool:
    """Whether the text, with words in its gaps, says what is quoted: `The FTP server has no space left (452).`

    At least half of what is quoted has to stand in the code.
    """
    pieces, plain = text.split(_GAP), _BRACES.sub("x", quote)
    least = max(12, len(plain) // 2)
    for number in range(len(pieces), 1, -1):
        *before, last = pieces[:number]
        for end in range(max(0, least - sum(map(len, before))), len(last) + 1):  # the quote may end in its middle
            if plain.endswith(last[:end]) and re.fullmatch(".+?".join(map(re.escape, [*before, last[:end]])), plain):
                return True
    return False


@pytest.mark.parametrize("quote", QUOTES)
def test_what_is_quoted_is_said_by_the_code(quote: str) -> None:
    assert len(_BRACES.sub("", quote)) > 12, "too short to be looked for"
    assert said_by_the_code(quote)


@pytest.mark.parametrize("quote", [
    "The database has gone fishing", "The FTP server has no space lift (452).", "The key of {host} was lost",
    "The server {host} refused the password and the name",
])  # fmt: skip
def test_what_nobody_says_is_not_found(quote: str) -> None:
    assert not said_by_the_code(quote)


def told(sentence: str) -> bool:
    """Whether the page has the beginning of the sentence."""
    return any(pattern(quote).match(sentence) for quote in QUOTES)


def test_what_is_said_of_the_database_is_on_the_page() -> None:
    said = [each[-1] for each in (*of_the_database._STATEMENTS, *of_the_database._LOGINS)]
    said += [of_the_database._OTHER_LAB, of_the_database._DAMAGED]
    said = [re.sub(r"\{\w+\}", "x", each) for each in said]
    assert [each for each in said if not told(each) and each != "x"] == []


def test_what_is_said_of_deliveries_is_on_the_page() -> None:
    said = list(of_the_network._FTP_WORDS.values())
    said += [of_the_network.http_status_in_words(status, "data.example")
             for status in (101, 307, 401, 403, 404, 407, 413, 418, 422, 429, 500, 503, 507)]  # fmt: skip
    said += [of_the_network.describe_failure(error) for error in (
        ConnectionRefusedError(), TimeoutError(), OSError(errno.EHOSTUNREACH, ""), EOFError(),
        OSError(errno.ENOSPC, ""),
    )]  # fmt: skip
    assert [each for each in said if not told(each)] == []
