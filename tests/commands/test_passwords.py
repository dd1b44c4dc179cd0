"""Passwords in another encoding: told as that, not as what became of them at a server."""

from __future__ import annotations

import io
import os
import sys

import pytest

from abq_data_entry.commands.outcome import NotDone
from abq_data_entry.commands.passwords import DATABASE_VARIABLE, DELIVERY_VARIABLE, password_from_stdin, take_secrets

LATIN = "Wäll".encode("latin-1")


def given(monkeypatch: pytest.MonkeyPatch, content: bytes, errors: str) -> str:
    """What is taken of a standard input that has this content."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), "utf-8", errors))
    return password_from_stdin()


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])  # as in de_DE.UTF-8, and where cron runs
def test_a_password_of_another_encoding_is_refused(errors: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotDone, match="on standard input isn't text in the encoding of this system"):
        given(monkeypatch, LATIN + b"\n", errors)
    for content in ("Wäll \U0001f33e \n", "Wäll \U0001f33e \r\nmore", "\ufeffWäll \U0001f33e "):
        assert given(monkeypatch, content.encode(), errors) == "Wäll \U0001f33e "
    with pytest.raises(NotDone, match="No password came"):
        given(monkeypatch, b"\xef\xbb\xbf\n", errors)


@pytest.mark.skipif(os.name != "posix", reason="elsewhere the environment is text")
def test_so_is_one_in_the_environment_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (DELIVERY_VARIABLE, DATABASE_VARIABLE):
        monkeypatch.setenv(name, os.fsdecode(LATIN))
    secrets = take_secrets()
    with pytest.raises(NotDone, match=f"in {DELIVERY_VARIABLE} isn't text"):
        assert secrets.delivery
    with pytest.raises(NotDone, match=f"in {DATABASE_VARIABLE} isn't text"):
        assert secrets.database
