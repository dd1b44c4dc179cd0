"""`export`: write the extract of a day, or the rows of a view, to a file."""

from __future__ import annotations

import argparse
import datetime
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..counting import counted
from .days import add_date_option, day, unsent
from .outcome import NotDone, Wait, announce_if_long, target_of
from .passwords import Secrets

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.view_rows import ViewQuery
    from ..workflows.export_view import CsvStyle, Exported
    from . import Subcommands

Result = TypeVar("Result")

_LOOK_AGAIN = 0.1  # seconds; waiting without a limit would ignore Ctrl-C on some platforms
_FORMATS = ("csv", "xlsx", "parquet", "datapackage")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `export` besides the day; `verify` checks which fit together."""
    group = parser.add_argument_group("any view and any days")
    group.add_argument("--view", metavar="NAME", help="a view for QA such as growth (see docs/qa.md), or records")
    group.add_argument("--from", dest="first", type=day, metavar="D", help="the first day (default: the first of all)")
    group.add_argument("--to", dest="last", type=day, metavar="D", help="the last day (default: the last of all)")
    group.add_argument("--lab", metavar="L", default="", help="only this lab")
    group.add_argument("--format", choices=_FORMATS, help="default: as FILE ends, else csv; parquet needs pyarrow")
    group.add_argument("--bom", action="store_true", help="CSV: begin with a byte order mark, for Excel")
    group.add_argument("--semicolon", action="store_true", help="CSV: semicolons between the values")
    group.add_argument("--decimal-comma", action="store_true", help="CSV: decimals with a comma")
    parser.set_defaults(verify=lambda options: _verify(parser, options))


def _run_view(options: argparse.Namespace, secrets: Secrets) -> None:
    """Write the file whole, or not at all."""
    from ..workflows.export_view import CsvStyle, ViewQuery, days_in_words, usual_name
    from .database import opened_model, read_settings

    first, last = (options.date, options.date) if options.date else (options.first, options.last)
    wanted = ViewQuery(options.view, first, last, options.lab.upper())
    form = options.format or _format_by_suffix(options.output) or "csv"
    style = CsvStyle(options.bom, options.semicolon, options.decimal_comma)
    name = usual_name(wanted, form)
    target = None if options.output == "-" else target_of(options.output, name)
    with opened_model(read_settings(), secrets) as model, announce_if_long(f"Exporting {options.view}") as wait:
        if target is None:
            _print(model, wanted, name, style, wait)
            return
        done = _exported(model, wanted, form, target, style, wait)
    print(f"{counted(done.rows, 'row')} of {options.view}, {days_in_words(first, last)}, written to {done.file}")
    for remark in done.remarks:
        print(remark, file=sys.stderr)


def _verify(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Exit with the usage if options don't fit together."""
    named = {"--from": options.first, "--to": options.last, "--lab": options.lab, "--format": options.format}
    styles = {"--bom": options.bom, "--semicolon": options.semicolon, "--decimal-comma": options.decimal_comma}
    given = [name for name, value in {**named, **styles}.items() if value]
    if not options.view and given:
        parser.error(f"{given[0]} needs --view (of the records themselves: --view records)")
    if options.date and (options.first or options.last):
        parser.error("--date is one day; --from and --to are the first and the last of several")
    if options.first and options.last and options.first > options.last:
        parser.error(f"--from {options.first} is after --to {options.last}")
    implied = _format_by_suffix(options.output)
    form = options.format or (implied if options.view else "csv")
    if implied and implied != form.replace("datapackage", "csv"):
        parser.error(f"{options.output} isn't a name for {form}: give it another ending, or another --format")
    if form in ("xlsx", "parquet") and any(styles.values()):
        parser.error(f"{next(name for name, value in styles.items() if value)} is for CSV")
    if options.output == "-" and options.format not in (None, "csv"):
        parser.error(f"-o - prints CSV; for {options.format} name a file")


def _format_by_suffix(output: str | None) -> str:
    """Return the format that the suffix of the file name implies; '' if it implies none."""
    ending = Path(output or "").suffix.lower()
    return ending[1:] if ending in (".csv", ".xlsx", ".parquet") and not Path(output or "").is_dir() else ""


class _Monitor:
    """Passes on the progress of an export, and its cancellation."""

    def __init__(self, wait: Wait) -> None:
        self._wait, self._what = wait, wait.what
        self.cancel = threading.Event()

    def report(self, done: int, total: int) -> None:
        """Show how many rows are written; the total isn't known, because a view would have to be computed twice."""
        self._wait.report(done, total)
        if not total and done:
            self._wait.what = f"{self._what}: {done:,} rows"


def _exported(
    model: SQLModel, wanted: ViewQuery, form: str, target: Path, style: CsvStyle, wait: Wait
) -> Exported:
    from ..workflows.export_view import FormatMissing, UnknownView, export_view

    monitor = _Monitor(wait)
    try:
        return _interruptible(lambda: export_view(model, wanted, form, target, monitor, style), monitor.cancel)
    except (FormatMissing, UnknownView) as error:
        raise NotDone(str(error)) from error
    except OSError as error:
        raise NotDone(f"{target} can't be written: {error.strerror or error}. Nothing was changed.") from error


def _print(model: SQLModel, wanted: ViewQuery, name: str, style: CsvStyle, wait: Wait) -> None:
    # Completed before it is printed, so that the reader of the pipe gets all rows, or none and an error.
    with tempfile.TemporaryDirectory(prefix="abq-export-") as folder:
        done = _exported(model, wanted, "csv", Path(folder) / name, style, wait)
        sys.stdout.flush()
        with done.file.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
        sys.stdout.buffer.flush()


def _interruptible(work: Callable[[], Result], cancel: threading.Event) -> Result:
    """Return the result of `work`, run on another thread, because one that waits for the server ignores Ctrl-C."""
    results: list[Result] = []
    errors: list[BaseException] = []
    over = threading.Event()  # not `join`, which after an interrupt treats a thread as ended in Python 3.10 and 3.11

    def run_it() -> None:
        try:
            results.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            over.set()

    threading.Thread(target=run_it, name="export", daemon=True).start()
    try:
        while not over.wait(_LOOK_AGAIN):
            pass
    except KeyboardInterrupt:
        cancel.set()
        over.wait()
        raise
    if errors:
        raise errors[0]
    return results[0]


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
    add_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Write the file whole, or not at all."""
    if options.view:
        _run_view(options, secrets)
        return
    from .. import outbox
    from .database import opened_model, read_settings

    date = options.date or datetime.date.today()
    to_output = options.output == "-"
    target = None if to_output else target_of(options.output, outbox.extract_name(date))
    with opened_model(read_settings(), secrets) as model, announce_if_long(f"Writing the extract of {date}"):
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
    """Return a sentence about other days not sent yet; empty if the login may not read deliveries."""
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
    if others:  # on standard error, because standard output has the records
        print(others, file=sys.stderr)


def _require(count: int, date: datetime.date, others: str) -> None:
    if count == 0:
        raise NotDone(f"There are no records of {date}, so no file was written. {others}".strip())
