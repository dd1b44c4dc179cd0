"""Days as arguments of subcommands, and which of the last days haven't been sent yet."""

from __future__ import annotations

import argparse
import datetime
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models import SQLModel


def day(text: str) -> datetime.date:
    """Return the date from `2026-11-21`, `today` or `yesterday`. Raises ArgumentTypeError for anything else."""
    if text in ("today", "yesterday"):
        return datetime.date.today() - datetime.timedelta(days=text == "yesterday")
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-11-21, nor today or yesterday")


def add_date_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--date`; `None` if not given, so that today is determined when the work begins."""
    parser.add_argument("--date", type=day, metavar="D", help="such as 2026-11-21 or yesterday (default: today)")


def unsent(model: SQLModel, today: datetime.date, kind: str = "") -> str:
    """Return a sentence about days before today with records that weren't sent in their current state; else empty.

    ``kind``: the destination; empty: at least one of those that are used, as in the window.
    """
    from ..workflows.deliver_day import last_days

    days = model.extract_days(reversed(last_days(today)[:-1]))
    due = [f"{each.date}" for each in days if each.records and not each.went_out(kind)]
    return f"Not sent yet: {', '.join(due)} (--date)." if due else ""
