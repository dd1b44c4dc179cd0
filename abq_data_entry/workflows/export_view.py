"""Export a view to a file, which appears complete or not at all."""

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
from ..exporting import FORMATS, CsvStyle, FormatMissing, Metadata, Sink, make_writer
from ..models.view_rows import RECORDS, UnknownView, ViewQuery, ViewRows

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..postgres.errors import ProgressMonitor

_LOOK_AGAIN = 0.2  # seconds
_LOCK = "in-use"

__all__ = [
    "FORMATS", "RECORDS", "CsvStyle", "ExportCancelled", "Exported", "FormatMissing", "UnknownView", "ViewQuery",
    "export_view", "usual_name",
]  # fmt: skip


class ExportCancelled(Exception):
    """The user has cancelled the export; nothing was written."""


class Exported(NamedTuple):
    """How many rows were written to which file, and remarks about it, as sentences."""

    rows: int
    file: Path
    remarks: list[str]


def usual_name(wanted: ViewQuery, format_name: str) -> str:
    """Return the default name of the file: `abq_growth_2026-03-01_2026-03-31_A.csv`."""
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
    wanted: ViewQuery,
    format_name: str,
    target: Path,
    monitor: ProgressMonitor,
    style: CsvStyle | None = None,
) -> Exported:
    """Write the rows of a view to `target`, in the format of that name; an existing file is replaced at the end.

    `monitor` gets the number of rows (total 0: it isn't known), and its `cancel` ends the export. Raises
    `ExportCancelled`, `FormatMissing`, `UnknownView`, `DatabaseError`, `OSError`; then nothing is written or changed.
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
    found: ViewRows, wanted: ViewQuery, format_name: str, target: Path, monitor: ProgressMonitor, style: CsvStyle
) -> Exported:
    metadata = Metadata(wanted.view, found.columns, found.time_zone, target)
    with _room_beside(target) as folder:
        sink = Sink(folder / "rows", folder, {})
        with folders.replacement(target) as file:
            writer = make_writer(format_name, sink, metadata, style)
            try:
                rows = 0
                monitor.report(0, found.total or 0)
                for batch in found.batches:
                    _raise_if_cancelled(monitor)
                    writer.write(batch)
                    rows += len(batch)
                    monitor.report(rows, found.total or 0)
                remarks = writer.finish()
                _raise_if_cancelled(monitor)
            finally:
                writer.close()
            sink.file.replace(file)
        for name, place in sink.beside.items():
            with folders.replacement(target.parent / name) as file:
                shutil.move(place, file)
    return Exported(rows, target, remarks)


@contextmanager
def _room_beside(target: Path) -> Iterator[Path]:
    """A temporary folder beside the target for unfinished files. It is removed at the end, and so are those of killed
    exports to the same name."""
    import filelock

    beginning = f".{target.name[:80]}."
    for left in target.parent.glob(f"{glob.escape(beginning)}*.part/{_LOCK}"):
        with suppress(OSError, filelock.Timeout), filelock.FileLock(left, timeout=0):  # its export has ended
            shutil.rmtree(left.parent, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=beginning, suffix=".part", dir=target.parent))
    try:
        with filelock.FileLock(folder / _LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _raise_if_cancelled(monitor: ProgressMonitor) -> None:
    if monitor.cancel.is_set():
        raise ExportCancelled


@contextmanager
def _cancelling(model: SQLModel, monitor: ProgressMonitor) -> Iterator[None]:
    """While the block runs, the monitor's `cancel` also cancels the statement that this thread waits for."""
    reader, reading = threading.get_ident(), threading.Lock()
    over = threading.Event()

    def follow() -> None:
        while not over.is_set():
            if monitor.cancel.wait(_LOOK_AGAIN):
                with reading:  # so that a statement after the block isn't cancelled
                    if not over.is_set():
                        model.cancel_query(reader)
                over.wait(_LOOK_AGAIN)

    threading.Thread(target=follow, name="cancelling an export", daemon=True).start()
    try:
        yield
    finally:
        with reading:
            over.set()


def days_in_words(first: datetime.date | None, last: datetime.date | None) -> str:
    """Return the days from `first` to `last` in words; None: no limit."""
    if first is None and last is None:
        return "all days"
    if first == last:
        return f"{first}"
    return " ".join([*([f"from {first}"] if first else []), *([f"to {last}"] if last else [])])
