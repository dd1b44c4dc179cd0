"""Days as the words take them."""

import argparse
import datetime
import re


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


def add_date_option(words: argparse.ArgumentParser) -> None:
    """The option `--date`, which is `None` if not given: today is when the work is done."""
    words.add_argument("--date", type=day, metavar="D", help="such as 2026-11-21 or yesterday (default: today)")
