"""Export a view: its rows go from the database into a file that appears whole, or not at all."""

from __future__ import annotations

import datetime
import glob
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import folders
from ..exporting import FORMATS, CsvStyle, FormatMissing, Sink, Told, make_writer
from ..models.view_rows import RECORDS, UnknownView, ViewRows, Wanted

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..postgres.errors import ProgressMonitor

_LOOK_AGAIN = 0.2  # seconds
_LOCK = "in-use"

__all__ = [
    "FORMATS", "RECORDS", "CsvStyle", "ExportCancelled", "Exported", "FormatMissing", "UnknownView", "Wanted",
    "export_view", "usual_name",
]  # fmt: skip


class ExportCancelled(Exception):
    """Somebody cancelled it; nothing was written."""


class Exported(NamedTuple):
    """How many rows are in which file, and what somebody should know of it, in sentences."""

    rows: int
    file: Path
    remarks: list[str]


def usual_name(wanted: Wanted, format_name: str) -> str:
    """Return the name of the file where nobody gives one: `abq_growth_2026-03-01_2026-03-31_A.csv`."""
    days: list[object] = [each for each in (wanted.first, wanted.last) if each is not None]
    if wanted.first is None and wanted.last is not None:
        days.insert(0, "to")
    elif wanted.first is not None and wanted.last is None:
        days.insert(0, "from")
    elif wanted.first == wanted.last:
        del days[1:]
    parts = ["abq", wanted.view, *map(str, days), *([wanted.lab] if wanted.lab else [])]
    return "_".join(parts) + FORMATS[format_name]


def export_view(
    model: SQLModel,
    wanted: Wanted,
    format_name: str,
    target: Path,
    monitor: ProgressMonitor,
    style: CsvStyle | None = None,
) -> Exported:
    """Write the rows of a view to `target`, in the format of that name; what stood there is replaced at the end.

    `monitor` is told the rows (of 0 where their number isn't known), and its `cancel` ends it. Raises
    `ExportCancelled`, `FormatMissing`, `UnknownView`, `DatabaseError`, `OSError`; then nothing is left or changed.
    """

    def take(found: ViewRows) -> Exported:
        return _write(found, wanted, format_name, target, monitor, style or CsvStyle())

    try:
        with _cancelling(model, monitor):
            return model.read_view(wanted, take)
    except Exception as error:
        if monitor.cancel.is_set() and not isinstance(error, ExportCancelled):
            raise ExportCancelled from error
        raise


def _write(
    found: ViewRows, wanted: Wanted, format_name: str, target: Path, monitor: ProgressMonitor, style: CsvStyle
) -> Exported:
    told = Told(wanted.view, found.columns, found.time_zone, target)
    with _room_beside(target) as folder:
        sink = Sink(folder / "rows", folder, {})
        with folders.replacement(target) as file:
            writer = make_writer(format_name, sink, told, style)
            try:
                rows = 0
                monitor.report(0, found.total or 0)
                for batch in found.batches:
                    _go_on(monitor)
                    writer.write(batch)
                    rows += len(batch)
                    monitor.report(rows, found.total or 0)
                remarks = writer.finish()
                _go_on(monitor)
            finally:
                writer.close()
            sink.file.replace(file)
        for name, place in sink.beside.items():
            with folders.replacement(target.parent / name) as file:
                shutil.move(place, file)
    return Exported(rows, target, remarks)


@contextmanager
def _room_beside(target: Path) -> Iterator[Path]:
    """A folder beside the target for all that is half written; it goes at the end, and what exports to that name left
    there that were killed."""
    import filelock

    beginning = f".{target.name[:80]}."
    for left in target.parent.glob(f"{glob.escape(beginning)}*.part/{_LOCK}"):
        with suppress(OSError, filelock.Timeout), filelock.FileLock(left, timeout=0):  # nobody writes there any more
            shutil.rmtree(left.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=beginning, suffix=".part", dir=target.parent))
    try:
        with filelock.FileLock(folder / _LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _go_on(monitor: ProgressMonitor) -> None:
    if monitor.cancel.is_set():
        raise ExportCancelled


@contextmanager
def _cancelling(model: SQLModel, monitor: ProgressMonitor) -> Iterator[None]:
    """Within the block `cancel` also ends what this thread waits for in the database."""
    reader, reading = threading.get_ident(), threading.Lock()
    over = threading.Event()

    def follow() -> None:
        while not over.is_set():
            if monitor.cancel.wait(_LOOK_AGAIN):
                with reading:  # what the thread reads after the block is somebody else's
                    if not over.is_set():
                        model.cancel_query(reader)
                over.wait(_LOOK_AGAIN)

    threading.Thread(target=follow, name="cancelling an export", daemon=True).start()
    try:
        yield
    finally:
        with reading:
            over.set()


def whole_days(first: datetime.date | None, last: datetime.date | None) -> str:
    """Return which days are meant, in words."""
    if first is None and last is None:
        return "all days"
    if first == last:
        return f"{first}"
    return " ".join([*([f"from {first}"] if first else []), *([f"to {last}"] if last else [])])
