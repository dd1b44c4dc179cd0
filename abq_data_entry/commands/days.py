"""Days as the subcommands take them, and which of the last ones still have to go out."""

from __future__ import annotations

import argparse
import datetime
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..models import SQLModel


def day(text: str) -> datetime.date:
    """`2026-11-21`, `today` or `yesterday`. Raises ArgumentTypeError for anything else."""
    if text in ("today", "yesterday"):
        return datetime.date.today() - datetime.timedelta(days=text == "yesterday")
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
            return datetime.date.fromisoformat(text)
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"{text!r} is not a date such as 2026-11-21, nor today or yesterday")


def add_date_option(parser: argparse.ArgumentParser) -> None:
    """The option `--date`, which is `None` if not given: today is when the work is done."""
    parser.add_argument("--date", type=day, metavar="D", help="such as 2026-11-21 or yesterday (default: today)")


def unsent(model: SQLModel, today: datetime.date, kind: str = "") -> str:
    """A sentence on the days before today that have records which weren't sent as they are now; empty: there are none.

    ``kind``: the destination; empty: one at least of those that are used, as the window counts them.
    """
    from ..workflows.deliver_day import last_days

    days = model.extract_days(reversed(last_days(today)[:-1]))
    due = [f"{each.date}" for each in days if each.records and not each.went_out(kind)]
    return f"Not sent yet: {', '.join(due)} (--date)." if due else ""
