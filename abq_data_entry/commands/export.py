"""`export`: write the extract of a day, or the rows of a view, to a file."""

from __future__ import annotations

import argparse
import datetime
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from . import export_view
from .days import add_date_option, unsent
from .outcome import NotDone, target_of
from .passwords import Secrets
from .waits_told import told_if_long

if TYPE_CHECKING:
    from ..models import SQLModel
    from . import Subcommands


def add_to(subcommands: Subcommands) -> None:
    """Add the subcommand to the parser."""
    parser = subcommands.add_parser(
        "export",
        help="write the extract of a day as CSV, or any view and any days as CSV, XLSX, Parquet or data package",
        description="Write the extract of a day as CSV. Without records no file is written, and the exit code is 1."
        " With --view: the rows of a view (records: the records themselves), of some days or all.",
        allow_abbrev=False,
    )
    add_date_option(parser)
    parser.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="the file, a folder for it, or - for standard output (default: abq_data_record_YYYY-MM-DD.csv, here)",
    )
    export_view.add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Write the file whole, or not at all."""
    if options.view:
        export_view.run(options, secrets)
        return
    from .. import outbox
    from .database import opened_model, read_settings

    date = options.date or datetime.date.today()
    to_output = options.output == "-"
    target = None if to_output else target_of(options.output, outbox.extract_name(date))
    with opened_model(read_settings(), secrets) as model, told_if_long(f"Writing the extract of {date}"):
        others = "" if options.date else _unsent(model, date)
        if target is None:
            _print_extract(model, date, others)
            return
        try:
            count = model.export_records(target, date)
        except OSError as error:
            raise NotDone(f"{target} can't be written: {error.strerror}.") from error
    _require(count, date, others)
    print(f"{count} record{'s' * (count != 1)} of {date} written to {target}")
    if others:
        print(others)


def _unsent(model: SQLModel, today: datetime.date) -> str:
    """The other days that still have to go out; a login that may not know of deliveries exports all the same."""
    from ..models import DatabaseError

    try:
        return unsent(model, today)
    except DatabaseError:
        return ""


def _print_extract(model: SQLModel, date: datetime.date, others: str) -> None:
    with tempfile.TemporaryDirectory(prefix="abq-extract-") as folder:
        path = Path(folder) / "extract.csv"
        _require(model.export_records(path, date), date, others)
        sys.stdout.flush()
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    if others:  # not among the records
        print(others, file=sys.stderr)


def _require(count: int, date: datetime.date, others: str) -> None:
    if count == 0:
        raise NotDone(f"There are no records of {date}, so no file was written. {others}".strip())
