"""Records, checks and weather in PostgreSQL."""

from __future__ import annotations

import datetime
import platform
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from psycopg2.extensions import cursor as Cursor

from abq_data_entry import fields
from abq_data_entry.charts.choice import ChartChoice
from abq_data_entry.constants import CHECK_TIMES, FieldNames
from abq_data_entry.models import (
    administration,
    auditing,
    extract,
    paging,
    presence,
    saving,
    schema,
    view_rows,
    weather,
)
from abq_data_entry.models.alarms import Alarms, Today, read_today
from abq_data_entry.models.connections import Connections, ServerFacts, rows_as_dicts
from abq_data_entry.models.destinations import Destinations, Receipts
from abq_data_entry.models.errors import NotThroughPooler, OutcomeUnknown, RecordInvalid, ServerUnreachable
from abq_data_entry.models.extract import ExtractDay, OutdatedDelivery
from abq_data_entry.models.marks import Marks, Notes
from abq_data_entry.models.notices import ShiftMessages
from abq_data_entry.models.presence import PresenceKeeper
from abq_data_entry.models.records import (
    Change,
    CheckProgress,
    Choices,
    PositionIndex,
    Presence,
    Rights,
    Selection,
    VersionedRecord,
)
from abq_data_entry.models.saving import Saving, Write
from abq_data_entry.models.undoing import Corrections
from abq_data_entry.models.weather import WeatherHistory, parse_observation

if TYPE_CHECKING:
    from abq_data_entry.models.notices import Notices

Record = dict[str, object]
Result = TypeVar("Result")
_PLOTS = range(1, int(fields.field(FieldNames.PLOT).maximum or 0) + 1)


class SQLModel(Corrections, Marks, Notes, ShiftMessages, Destinations, Receipts, Alarms):
    """The database of one laboratory. May be used by several threads at once: each has its own connection.

    Connections open when first needed. All methods raise `DatabaseError` or one of its kinds; after a server came back
    they work again by themselves. A record is a dict with the names of the CSV header and typed values.
    """

    fields: Mapping[str, fields.Field] = {each.name: each for each in fields.FIELDS}

    def __init__(
        self, host: str = "", database: str = "abq", user: str = "", password: str | None = "", **libpq: str
    ) -> None:
        """`host` may be several by commas, or the folder of a socket; `libpq` holds more of libpq's keywords."""
        endpoint = {**libpq, "host": host, "dbname": database, "user": user, "password": password or ""}
        self._connections = Connections(endpoint)
        self.last_write: Write | None = None
        self.saved_version: int | None = None
        self._presence = PresenceKeeper()
        self._history: Connections | None = None
        self._direct: Connections | None = None

    @classmethod
    def at(cls, endpoint: Mapping[str, str], patience: float | None = None) -> SQLModel:
        """Return the model of the database at an endpoint of `postgres`, which holds libpq's keywords.

        `patience`: how many seconds a server is waited for that takes no connection yet (not given: 15).
        """
        model = cls()
        model._connections = Connections(endpoint, patience)
        return model

    def connect(self) -> None:
        """Log in now and look whether the tables are there.

        Raises `LoginFailed`, `ServerUnreachable`, `SchemaMissing`, `SchemaTooNew` or `RightsMissing`.
        """
        self._connections.read(partial(schema.check, endpoint=self._connections.endpoint))

    @property
    def server_facts(self) -> ServerFacts:
        """What the latest new connection found at its other end."""
        return self._connections.facts

    def look_at_version(self) -> int:
        """Look which version the tables are of now; `opened` knows it from then on. 0: there are none."""

        def look(cursor: Cursor) -> int:
            return schema.installed_version(cursor) or 0

        version = self._connections.read(look)
        self._connections.facts = self._connections.facts._replace(version=version)
        return version

    def read_history_at(self, endpoint: Mapping[str, str]) -> None:
        """Read histories there from now on, from a standby say, and here while that can't be reached."""
        self._history = Connections(endpoint)

    def listen_at(self, endpoint: Mapping[str, str]) -> None:
        """Hear there what others save, and tell there who is entering what: the server itself, behind a pooler."""
        self._direct = Connections(endpoint)

    def close(self) -> None:
        """Close the connections of all threads."""
        self._connections.close()
        if self._direct is not None:
            self._direct.close()
        if self._history is not None:
            self._history.close()

    def close_idle(self, seconds: float) -> int:
        """Close the connections that nobody has used for `seconds`; each opens again with the next use.

        Those stay that tell who is entering what, and that hear what others save. Returns how many were closed.
        """
        every = (self._connections, self._direct, self._history)
        return sum(each.close_idle(seconds, self._presence.process) for each in every if each is not None)

    def cancel_query(self, thread_ident: int) -> bool:
        """Cancel what that thread reads at the moment, which then raises `QueryCancelled`; a save goes on."""
        return self._connections.cancel(thread_ident)

    def query(
        self, query: str, parameters: Sequence[object] | Mapping[str, object] | None = None
    ) -> list[Record] | None:
        """Run one statement in a transaction of its own; return its rows, `None` if it has no result."""

        def run(cursor: Cursor) -> list[Record] | None:
            cursor.execute(query, parameters)
            return rows_as_dicts(cursor) if cursor.description is not None else None

        return self._connections.write(run)

    # ---------------------------------------------------------------------------------------------------- records

    def get_all_records(self, all_dates: bool = False) -> list[Record]:
        """Return today's records, or those of all dates, ordered by date, time, lab and plot."""
        condition = "true" if all_dates else "p.date = %(today)s"
        return self._connections.rows(
            f"{saving.RECORDS} WHERE {condition} {saving.IN_ORDER}", {"today": datetime.date.today()}
        )

    def get_record(self, date: object, time: object, lab: object, plot: object) -> Record:
        """Return the record of that plot at that check; an empty dict when there is none."""
        key = _parsed(Date=date, Time=time, Lab=lab, Plot=plot)
        found = self._connections.rows(saving.GET_RECORD, key) if key else []
        return found[0] if found else {}

    def get_versioned_record(self, date: object, time: object, lab: object, plot: object) -> VersionedRecord:
        """Return the record of that plot at that check with its version; version 0 when there is none."""
        key = _parsed(Date=date, Time=time, Lab=lab, Plot=plot)
        return self._connections.read(partial(saving.read_version, key=key)) if key else VersionedRecord()

    def get_departure(self, date: object, time: object, lab: object, plot: object) -> str:
        """Return who withdrew the record that stood there, or moved it where to, in words; empty where nobody did."""
        key = _parsed(Date=date, Time=time, Lab=lab, Plot=plot)
        return self._connections.read(partial(saving.taken_away, key=key)) if key else ""

    def get_history(self, date: object, time: object, lab: object, plot: object) -> list[Change]:
        """Return what was changed in that record, by whom, when and why, the oldest change first."""
        key = _parsed(Date=date, Time=time, Lab=lab, Plot=plot)
        if not key:
            return []
        if self._history is not None:
            with suppress(ServerUnreachable):
                return self._history.read(partial(saving.read_history, key=key))
        return self._connections.read(partial(saving.read_history, key=key))

    def save_record(
        self,
        record: Mapping[str, object],
        write: Write | None = None,
        *,
        expected_version: int | None = None,
        reason: str = "",
        author: str = "",
        workstation: str | None = None,
        entry: str | None = None,
        typed: datetime.datetime | None = None,
    ) -> None:
        """Save the record and its check in one transaction; `last_write` then says "insert" or "update".

        `saved_version` is then the record's version (`None`: not known, it was saved before).

        Takes texts as they are typed, or typed values. `write="insert"` refuses a record that is there already,
        `write="update"` one that isn't. Another technician than the check's is noted for this plot only, and for the
        check if no other plot of it is recorded.

        `expected_version`: the version that an update corrects; if another one stands there, `RecordConflict` holds it.
        `author`, `workstation` (not given: this computer) and `reason` go to the audit. `entry`: the number (a UUID) of
        an entry of a journal, which is saved once however often it comes; `typed`: when it was kept there.

        Raises `RecordInvalid`, `RecordExists`, `RecordConflict`, `RecordMissing`, `DatabaseError`; then nothing of it
        is saved.
        """
        try:
            values = fields.parse_record(record)
        except fields.FieldErrors as error:
            raise RecordInvalid(error.errors) from None
        place = platform.node() if workstation is None else workstation
        moment = typed.isoformat() if typed is not None else ""
        by = author or str(values[FieldNames.TECHNICIAN])
        how = Saving(write, expected_version, by, reason, place, entry, moment)
        try:
            saved = saving.save(self._connections, values, how)
        except OutcomeUnknown:
            saved = saving.settle(self._connections, values, how)
        self.last_write = "insert" if saved.inserted else "update"
        self.saved_version = saved.version

    # ----------------------------------------------------------------------------------------------------- checks

    def get_lab_check(self, date: object, time: object, lab: object) -> Record:
        """Return the row of that check (`date`, `time`, `lab_id`, `lab_tech_id`, `lab_tech`); an empty dict if none."""
        key = _parsed(Date=date, Time=time, Lab=lab)
        found = self._connections.rows(saving.GET_CHECK, key) if key else []
        return found[0] if found else {}

    def get_check(self, date: object, time: object, lab: object) -> CheckProgress:
        """Return who does that check, and which plots of it are recorded by whom."""
        key = _parsed(Date=date, Time=time, Lab=lab)
        if not key:
            return CheckProgress()

        def run(cursor: Cursor) -> CheckProgress:
            cursor.execute(saving.GET_CHECK, key)
            checks = rows_as_dicts(cursor)
            cursor.execute(saving.GET_RECORDED_PLOTS, key)
            recorded = dict(cursor.fetchall())
            if not checks:
                return CheckProgress(None, recorded)
            return CheckProgress(str(checks[0]["lab_tech"]), recorded, int(str(checks[0]["version"])))

        return self._connections.read(run)

    def set_check_technician(
        self,
        date: object,
        time: object,
        lab: object,
        technician: str,
        *,
        expected_version: int | None = None,
        reason: str = "",
        author: str = "",
    ) -> None:
        """Make the whole check, with all its plots, that technician's. Raises `RecordInvalid`.

        `expected_version`: that of the check when it was looked at (`CheckProgress.version`); raises `CheckChanged` if
        somebody else has taken the check over since, and changes nothing.
        """
        key = _parsed(Date=date, Time=time, Lab=lab)
        if not key:
            raise RecordInvalid({FieldNames.DATE: "Date, time and lab of the check are required."})
        values = {**key, FieldNames.TECHNICIAN: technician}

        how = Saving(None, expected_version, author or technician, reason, platform.node())
        saving.set_check_technician(self._connections, values, how)

    def get_previous_readings(self, date: object, time: object, lab: object) -> dict[int, Record]:
        """Return the latest record of each plot of the lab before that check; plots without one are left out."""
        key = _parsed(Date=date, Time=time, Lab=lab)
        rows = self._connections.rows(saving.GET_PREVIOUS, key) if key else []
        return {int(str(row[FieldNames.PLOT])): row for row in rows}

    def get_current_seed_sample(self, lab: object, plot: object) -> str:
        """Return the seed sample that grows in the plot, '' if none is known."""
        key = _parsed(Lab=lab, Plot=plot)
        sql = "SELECT current_seed_sample::text AS seed FROM plots WHERE lab_id = %(Lab)s AND plot = %(Plot)s"
        found = self._connections.rows(sql, key) if key else []
        return str(found[0]["seed"] or "") if found else ""

    def choices(self) -> Choices:
        """Return the values that the lists of the form offer at the moment."""
        return self._connections.read(administration.read_choices)

    # ------------------------------------------------------------------------------------------------------- list

    def count_records(self, selection: Selection) -> PositionIndex:
        """Count the records of a selection and where each stands; takes seconds at ten million, can be cancelled."""
        return self._connections.read(partial(paging.count_records, selection=selection), snapshot=True)

    def get_page(
        self,
        selection: Selection,
        rows: int,
        *,
        start: int = 0,
        after: Mapping[str, object] | None = None,
        before: Mapping[str, object] | None = None,
        last: bool = False,
        index: PositionIndex | None = None,
    ) -> list[Record]:
        """Return up to `rows` records of a selection, in its order.

        They begin at the position `start`, which is fast anywhere with the `index` of `count_records`; or they follow
        the record `after`; or they are those before the record `before`; or the `last` ones.
        """

        def run(cursor: Cursor) -> list[Record]:
            if after is not None or before is not None:
                key = after if after is not None else before
                return paging.get_page_beside(cursor, selection, rows, key or {}, before=after is None)
            if last:
                return paging.get_last_page(cursor, selection, rows)
            counted = index if index is not None and index.selection == selection else None
            return paging.get_page_at(cursor, selection, rows, start, counted)

        return self._connections.read(run)

    def get_position(
        self, selection: Selection, date: object, time: object, lab: object, plot: object
    ) -> int | None:
        """Return the position of a record in a selection of some thousands, `None` if it isn't among them."""
        key = _parsed(Date=date, Time=time, Lab=lab, Plot=plot)

        def run(cursor: Cursor) -> int | None:
            cursor.execute(saving.GET_RECORD, key)
            found = rows_as_dicts(cursor)
            return paging.get_position(cursor, selection, found[0]) if found else None

        return self._connections.read(run) if key else None

    def export_records(
        self, path: str | Path, first_date: datetime.date, last_date: datetime.date | None = None
    ) -> int:
        """Write the records of a day, or from a day to another, to a CSV file; return how many.

        The file appears whole or not at all; when there are no records none is written. Raises `OSError` too.
        """
        last = first_date if last_date is None else last_date
        return self._connections.read(
            partial(extract.export, path=Path(path), first_date=first_date, last_date=last), snapshot=True
        )

    def view_names(self) -> list[str]:
        """Return the names of what `read_view` reads."""
        return self._connections.read(view_rows.view_names)

    def read_view(self, wanted: view_rows.Wanted, take: Callable[[view_rows.ViewRows], Result]) -> Result:
        """Return what `take` makes of the rows of a view, which come in batches and all of one moment.

        `take` is called again, for all rows, where the connection was lost. Raises `UnknownView`.
        """
        return self._connections.read(partial(view_rows.read_rows, wanted=wanted, take=take), snapshot=True)

    # ------------------------------------------------------------------------------- who is there, who may, the audit

    def enter_check(
        self, date: object, time: object, lab: object, plot: int | None, who: str, workstation: str | None = None
    ) -> None:
        """Tell the others that this window enters that check now, and which plot is open, until `leave_check`.

        Holds on to the connection of the calling thread: use one thread for it. The others forget it when that ends.
        """
        key = _parsed(Date=date, Time=time, Lab=lab)
        place = platform.node() if workstation is None else workstation
        if key:
            self._own_sessions().write(partial(self._presence.hold, key=key, plot=plot, who=who, workstation=place))

    def claim_plot(self, date: object, time: object, lab: object, plot: int, who: str) -> bool:
        """Tell the others what `enter_check` tells, unless one of them has the plot open; then tell of no plot.

        Returns whether the plot is this window's. Of two that claim it at once the second is refused. Call it on the
        thread of `enter_check`.
        """
        key, place = _parsed(Date=date, Time=time, Lab=lab), platform.node()
        if not key:
            return False
        return self._own_sessions().write(partial(self._presence.claim, key=key, plot=plot, who=who, workstation=place))

    def claim_next_plot(self, date: object, time: object, lab: object, plots: Sequence[int]) -> int | None:
        """Return the first of `plots` that is neither recorded nor open elsewhere, `None` if all are; it is this
        window's from now on, where `enter_check` or `claim_plot` has told that it is at the check. On any thread."""
        key = _parsed(Date=date, Time=time, Lab=lab)
        return self._connections.write(partial(self._presence.claim_next, key=key, plots=plots)) if key else None

    def leave_check(self) -> None:
        """Take back what `enter_check` told; call it on the same thread."""
        self._own_sessions().write(self._presence.leave)

    def get_presence(self, date: object, time: object, lab: object) -> list[Presence]:
        """Return who enters that check at the moment, in order of arrival."""
        key = _parsed(Date=date, Time=time, Lab=lab)
        return self._connections.read(partial(self._presence.present, key=key)) if key else []

    def _own_sessions(self) -> Connections:
        """Return connections whose sessions are ours alone; raises `NotThroughPooler` where a pooler lends them."""
        connections = self._direct or self._connections
        connections.connect()
        if connections.facts.pooled:
            raise NotThroughPooler(
                "A connection pooler stands before the database, so others don't see who is entering what. An"
                " administrator can name the server itself in the setting db_notify_host."
            )
        return connections

    def watch(self, notify: Callable[[list[presence.Notice]], object], stop: threading.Event) -> None:
        """Tell what others change until `stop` is set; for a thread of its own. See `watching.watch`."""
        presence.watch((self._direct or self._connections).endpoint, notify, stop)

    def owns(self, process: int) -> bool:
        """Tell whether a server process works for this model: what it changed is no news."""
        return self._connections.owns(process) or (self._direct is not None and self._direct.owns(process))

    def rights(self) -> Rights:
        """Return what this login may do."""
        return self._connections.read(schema.read_rights)

    def audit_heads(self, date: datetime.date | None = None) -> str:
        """Return where the audit of each lab stands, as one line: `A 12 <hash>; B 7 <hash>`; '' if nothing is audited.

        With a date, of the labs that have a check of that day.
        """
        return self._connections.read(partial(extract.audit_heads, date=date))

    def verify_audit(self, heads: str = "") -> auditing.Verdict:
        """Walk all chains of the audit, recomputing each hash; takes a minute for each million entries.

        `heads`: a line of `audit_heads` that went with a delivery, which must still be part of the chains. Raises
        `ValueError` if it is none.
        """
        witnesses = auditing.parse_heads(heads)
        verdict = self._connections.read(partial(auditing.verify, witnesses=witnesses), snapshot=True)
        differences, not_compared = schema.compare(self._connections)
        found = verdict._replace(findings=(*verdict.findings, *differences), not_compared=not_compared)
        return found.printable()

    # ---------------------------------------------------------------------- weather, deliveries, administration

    def add_weather_data(self, data: Mapping[str, str | None]) -> bool:
        """Store the observation of `network.get_local_weather`; False if that one is stored already.

        What was empty in the stored one is filled then, nothing else changes. Raises `ObservationInvalid`, and
        `ObservationElsewhere` where one of another station stands at that moment; then nothing is stored.
        """
        return self.store_weather(data).state in ("new", "replaced")

    def store_weather(self, data: Mapping[str, str | None]) -> weather.Stored:
        """The same, and say what became of it."""
        seen = parse_observation(data)
        try:
            return self._connections.write(partial(weather.store, seen=seen))
        except OutcomeUnknown:
            again = self._connections.write(partial(weather.store, seen=seen))
            self._connections.confirm()
            return again if again.state != "known" or again.differing else again._replace(state="new")

    @property
    def weather_history(self) -> WeatherHistory:
        """The observations of a longer time: what is missing, and storing many."""
        return WeatherHistory(self._connections)

    @property
    def notices(self) -> Notices:
        """The company's notices, and who has read them."""
        from abq_data_entry.models.notices import Notices  # costs a start a millisecond

        return Notices(self._connections)

    def record_deliveries(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Keep what became of deliveries (the columns of `deliveries`), all of them or none.

        The same row again changes nothing.
        """
        self._connections.write_repeatable(partial(extract.record, rows=rows))

    def latest_delivery(self, date: datetime.date, file_name: str, destination: str) -> int:
        """Return the highest version of a day's file that was to go to `rest` or `ftp`, 0 if there is none."""
        return self._connections.read(
            partial(extract.latest_version, date=date, file_name=file_name, destination=destination)
        )

    def extract_days(self, dates: Iterable[datetime.date]) -> list[ExtractDay]:
        """Return how many records each of these days has, and what of it went out; the earliest day first."""
        return self._connections.read(partial(extract.extract_days, dates=dates))

    def outdated_deliveries(self) -> list[OutdatedDelivery]:
        """Return what was delivered and should be sent again: records of its day were changed since."""
        return self._connections.read(extract.outdated)

    def add_technician(self, technician_id: int, name: str) -> bool:
        """Add a technician; False if that one is there already. Raises `DatabaseError` if the id or name is taken."""
        return self._connections.write(partial(administration.add_technician, technician_id=technician_id, name=name))

    def take_in_lists(
        self, technicians: Sequence[tuple[int | None, str]], seeds: Sequence[tuple[str, int, str | None]]
    ) -> int:
        """Take in all of a list of technicians or seed samples, or nothing; return how many are new."""
        return self._connections.write(partial(administration.take_in_lists, technicians=technicians, seeds=seeds))

    def rename_technician(self, technician_id: int, name: str) -> str:
        """Give a technician another name, in old records too; return the one before."""
        return self._connections.write(
            partial(administration.rename_technician, technician_id=technician_id, name=name)
        )

    def retire_technician(self, technician_id: int, retired: bool = True) -> str:
        """Stop offering a name for new records, or offer it again (`retired` False); return the name."""
        return self._connections.write(
            partial(administration.retire_technician, technician_id=technician_id, retired=retired)
        )

    def remove_technician(self, technician_id: int) -> str:
        """Remove a technician who never recorded anything; return the name. Raises `DatabaseError` for others."""
        return self._connections.write(partial(administration.remove_technician, technician_id=technician_id))

    def add_lab(self, lab: str, plots: int = 20) -> bool:
        """Add a lab with plots 1 to `plots`; False if all are there already."""
        return self._connections.write(partial(administration.add_lab, lab=lab, plots=plots))

    def retire_lab(self, lab: str, retired: bool = True) -> None:
        """Stop offering a lab for new records, or offer it again (`retired` False)."""
        self._connections.write(partial(administration.retire_lab, lab=lab, retired=retired))

    def remove_lab(self, lab: str) -> None:
        """Remove a lab where nothing was ever recorded, with its plots. Raises `DatabaseError` for others."""
        self._connections.write(partial(administration.remove_lab, lab=lab))

    def retire_plot(self, lab: str, plot: int, retired: bool = True) -> None:
        """Stop offering a plot for new records, or offer it again (`retired` False). A lab keeps one at least."""
        self._connections.write(partial(administration.retire_plot, lab=lab, plot=plot, retired=retired))

    def remove_plot(self, lab: str, plot: int) -> None:
        """Remove a plot where nothing was ever recorded. Raises `DatabaseError` for others, and for the last one."""
        self._connections.write(partial(administration.remove_plot, lab=lab, plot=plot))

    def add_plot(self, lab: str, plot: int, seed_sample: str | None = None) -> bool:
        """Add a plot to a lab; False if it is there already."""
        return self._connections.write(partial(administration.add_plot, lab=lab, plot=plot, seed_sample=seed_sample))

    def set_seed_sample(self, lab: str, plot: int, seed_sample: str | None) -> None:
        """Say which seed sample grows in a plot from now on; `None` for none."""
        self._connections.write(partial(administration.set_seed_sample, lab=lab, plot=plot, seed_sample=seed_sample))

    def chart_rows(self, choice: ChartChoice) -> list[Record]:
        """Return the rows of a view for QA that a chart draws, a few thousand at most; times by the labs' clock."""
        return self._connections.read(partial(view_rows.read_chart, choice=choice), snapshot=True)

    def refresh_kept(self, cancel: threading.Event) -> bool:
        """Keep up to now what QA's slow views found; see `view_rows.refresh_kept`. Nobody who saves waits for it."""
        return view_rows.refresh_kept(self._connections, cancel)

    def today(self) -> Today:
        """Return how the day stands, by the labs' clock."""
        return self._connections.read(read_today, snapshot=True)

    def find_record(
        self, date: datetime.date, time: datetime.time | None, lab: str, plot: int | None
    ) -> tuple[object, ...] | None:
        """Return date, time, lab and plot of the first record behind a point of a chart; None where there is none.

        The time, lab ('') and plot may be left open; `charts.page.LATEST` as the date means the latest there is.
        """
        return self._connections.read(partial(view_rows.find_record, key=(date, time, lab, plot)))

    def time_zone(self) -> str:
        """Return the time zone of the labs, such as `America/Denver`."""
        return self._connections.read(administration.time_zone)

    def set_time_zone(self, name: str) -> str:
        """Set the time zone of the labs; return the one before."""
        return self._connections.write(partial(administration.set_time_zone, name=name))


def _parsed(**key: object) -> Record | None:
    """Return the typed values of a key; None if one of them can't be a value, so that nothing has it."""
    date, time, lab, plot = (key.get(name) for name in fields.RECORD_KEY)
    is_lab = isinstance(lab, str) and len(lab) == 1 and lab.isalnum()
    is_plot = plot is None or (type(plot) is int and plot in _PLOTS)
    if type(date) is datetime.date and time in CHECK_TIMES and is_lab and is_plot:
        return key  # as the records have it: nothing to parse
    try:
        return {
            name: fields.parse(each, fields.format_value(each, value))
            for name, value in key.items()
            for each in (fields.field(name),)
        }
    except ValueError:
        return None
