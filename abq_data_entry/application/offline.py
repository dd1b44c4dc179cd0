"""Going on without the database: the last known copy of it, and over it what waits on this computer."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .. import fields, folders
from ..constants import CHECK_TIMES
from ..constants import FieldNames as F
from ..views.form_content import CheckView
from ..views.record_inputs import CheckKey

if TYPE_CHECKING:
    from ..journal import Known, KnownFile
    from ..models import SQLModel
    from ..views.record_list import ListFilter
    from .window import Application

log = logging.getLogger(__name__)

WRITE_DELAY_MS = 2000
FETCH_DELAY_MS = 3000  # the start has enough to do
FETCH_AGAIN_MS = 300_000  # so old the copy may be when the database goes away

Record = Mapping[str, Any]


class Offline:
    """Keeps the copy in memory and in its file, and answers from it. On the Tk thread."""

    def __init__(self, application: Application) -> None:
        self._app = application
        self._file: KnownFile | None = None
        self._timer = self._fetch_timer = ""
        self._choices: Any = None
        self.known: Known | None = None

    def begin(self, database: str) -> None:
        """Read the copy of that database."""
        self._app.jobs.submit("files", _read, database, done=self._read)

    def end(self) -> None:
        """The window closes: what isn't written yet is written."""
        self._cancel_fetch()
        if self._timer:
            self._app.after_cancel(self._timer)
            self._write()

    # -- what comes in ----------------------------------------------------------------------------------

    def choices_loaded(self, choices: Any) -> None:
        """The database has given its lists."""
        self._choices = choices
        if self.known is not None:
            self._change(self.known.with_choices(choices, datetime.datetime.now(datetime.timezone.utc)))
            self._cancel_fetch()
            self._fetch_timer = self._app.after(FETCH_DELAY_MS, self._fetch)

    def check_loaded(self, key: CheckKey, progress: Any, previous: Mapping[int, Record]) -> None:
        """The database has told how far a check is, and what was read before."""
        if self.known is not None:
            self._change(self.known.with_check(key, progress).with_records(previous.values()))

    def record_saved(self, record: Record) -> None:
        """The database has that record."""
        if self.known is not None:
            self._change(self.known.with_records([record]))

    # -- what goes out ----------------------------------------------------------------------------------

    def check(self, key: CheckKey) -> CheckView | None:
        """What is known of a check without asking the database; ``None`` if nothing is known at all."""
        from .checks import following_check

        known = self.known
        if known is None or not known.choices.labs:
            return None
        progress = known.progress(key)
        plots = known.choices.plots
        return self.overlaid(
            CheckView(
                key=key,
                plots=tuple(sorted({*plots.get(key[2], ()), *progress.recorded})),
                technician=progress.technician,
                recorded=progress.recorded,
                previous=known.previous(key),
                known=True,
                following=following_check(key, tuple(plots)),
                known_at=self.known_at,
            )
        )

    def overlaid(self, view: CheckView) -> CheckView:
        """The same with the records that wait on this computer."""
        waiting = self._app.waiting.entries
        if view.key is None or not waiting:
            return view
        here = {each.key[3]: str(each.record[F.TECHNICIAN]) for each in waiting if each.key[:3] == view.key}
        previous = dict(view.previous)
        for entry in sorted(waiting, key=lambda each: _moment(each.record)):
            plot = entry.key[3]
            if entry.key[2] == view.key[2] and _moment(entry.record) < _order(*view.key[:2]):
                shown = previous.get(plot)
                if not shown or _moment(shown) <= _moment(entry.record):
                    previous[plot] = entry.record
        return view._replace(
            recorded={**view.recorded, **here},
            technician=view.technician or next(iter(here.values()), None),
            previous=previous,
            waiting=frozenset(here),
        )

    def record(self, key: tuple[Any, ...]) -> Record:
        """The record as it is known without asking the database; an empty one if it isn't."""
        return self.known.record(key) if self.known is not None else {}

    @property
    def known_at(self) -> str:
        """When the copy was last brought up to date, for people: the time, with the day where that isn't today."""
        if self.known is None:
            return ""
        taken = self.known.taken.astimezone()
        return f"{taken:%H:%M}" if taken.date() == self._app.shared.today() else f"{taken:%H:%M on %Y-%m-%d}"

    def rows(self, chosen: ListFilter) -> list[Record] | None:
        """The records that the list would show, as far as they are known; ``None`` if nothing is known at all."""
        waiting = [each.record for each in self._app.waiting.entries]
        known = self.known.records() if self.known is not None else []
        return known_rows(known, waiting, chosen) if known or waiting else None

    def show_choices(self) -> None:
        """Let the form work with the lists of the copy."""
        if self.known is not None and self.known.choices.labs:
            self._app.show_choices(self.known.choices)

    # -- inside -----------------------------------------------------------------------------------------

    def _read(self, found: tuple[KnownFile, Known]) -> None:
        self._file, self.known = found
        if self._choices is not None:  # the database was faster than the file
            self.choices_loaded(self._choices)
        if self._app.reconnecting.away and self._app.data_model is None:
            self.show_choices()
            self._app.checks.refresh()
            self._app.browsing.show_copy()

    def _change(self, known: Known) -> None:
        self.known = known
        if not self._timer:
            self._timer = self._app.after(WRITE_DELAY_MS, self._write)

    def _write(self) -> None:
        self._timer = ""
        if self._file is not None and self.known is not None:
            self._app.jobs.submit("files", self._file.write, self.known)

    def _fetch(self) -> None:
        """Ask for the latest readings of all plots, and for what was recorded today."""
        self._cancel_fetch()
        model, known = self._app.data_model, self.known
        if model is None or known is None or self._app.reconnecting.away:
            return
        tomorrow = self._app.shared.today() + datetime.timedelta(days=1)
        self._app.jobs.submit(
            "counting", _latest, model, tomorrow, known.choices.labs, done=self._fetched, failed=self._not_fetched
        )

    def _cancel_fetch(self) -> None:
        if self._fetch_timer:
            self._app.after_cancel(self._fetch_timer)
            self._fetch_timer = ""

    def _fetched(self, records: list[Record]) -> None:
        if self.known is not None:
            now = datetime.datetime.now(datetime.timezone.utc)
            self._change(self.known.with_records(records).as_of(now))
        self._cancel_fetch()
        self._fetch_timer = self._app.after(FETCH_AGAIN_MS, self._fetch)

    def _not_fetched(self, error: BaseException) -> None:
        log.info("the latest readings couldn't be fetched for the copy: %s", type(error).__name__)


def _read(database: str) -> tuple[KnownFile, Known]:
    from ..journal import Known, KnownFile

    data = folders.data_folder()
    file = KnownFile(data / "drafts", database, earlier=data / "journal")
    return file, file.read() or Known(datetime.datetime.now(datetime.timezone.utc))


def _latest(model: SQLModel, tomorrow: datetime.date, labs: tuple[str, ...]) -> list[Record]:
    records: list[Record] = []
    for lab in labs:
        records += model.get_previous_readings(tomorrow, CHECK_TIMES[0], lab).values()
    return records + list(model.get_all_records())


def _moment(record: Record) -> tuple[datetime.date, int]:
    return _order(record[F.DATE], record[F.TIME])


def _order(date: datetime.date, time: str) -> tuple[datetime.date, int]:
    return date, CHECK_TIMES.index(time)


def known_rows(known: Iterable[Record], waiting: Iterable[Record], chosen: ListFilter) -> list[Record]:
    """The records that the filter lets through, in its order; one that waits stands for an earlier one of its plot."""
    found = {_key(record): record for record in (*known, *waiting)}
    rows = [record for record in found.values() if _admits(chosen, record)]
    there = [record for record in rows if record[chosen.sort] is not None]
    empty = [record for record in rows if record[chosen.sort] is None]
    name = chosen.sort
    there.sort(key=lambda record: (_sort_value(name, record[name]), _position(record)), reverse=chosen.descending)
    empty.sort(key=_position, reverse=chosen.descending)
    return there + empty


def _admits(chosen: ListFilter, record: Record) -> bool:
    wanted = (
        (chosen.date, F.DATE),
        (chosen.lab, F.LAB),
        (chosen.plot, F.PLOT),
        (chosen.technician, F.TECHNICIAN),
    )
    return all(value in (None, record[name]) for value, name in wanted)


def _key(record: Record) -> tuple[Any, ...]:
    return tuple(record[name] for name in fields.RECORD_KEY)


def _position(record: Record) -> tuple[Any, ...]:
    return record[F.DATE], CHECK_TIMES.index(record[F.TIME]), record[F.LAB], record[F.PLOT]


def _sort_value(name: str, value: Any) -> Any:
    if name == F.TIME:
        return CHECK_TIMES.index(value)
    return (value.casefold(), value) if isinstance(value, str) else value
