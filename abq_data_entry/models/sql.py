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
    Privileges,
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
    """The database of one laboratory. Several threads may use it at once: each has its own connection.

    Connections are opened when first needed, and again after they were lost. All methods raise `DatabaseError` or a
    subclass. A record is a dict of typed values, by the names of the CSV header.
    """

    fields: Mapping[str, fields.Field] = {each.name: each for each in fields.FIELDS}

    def __init__(
        self, host: str = "", database: str = "abq", user: str = "", password: str | None = "", **libpq: str
    ) -> None:
        """`host`: one, several separated by commas, or a socket's folder; `libpq`: other connection parameters."""
        endpoint = {**libpq, "host": host, "dbname": database, "user": user, "password": password or ""}
        self._connections = Connections(endpoint)
        self.last_write: Write | None = None
        self.saved_version: int | None = None
        self._presence = PresenceKeeper()
        self._history: Connections | None = None
        self._direct: Connections | None = None

    @classmethod
    def at(cls, endpoint: Mapping[str, str], patience: float | None = None) -> SQLModel:
        """Return the model of the database at an endpoint of `postgres`: libpq's connection parameters.

        `patience`: seconds to wait for a server that doesn't accept connections yet (default: 15).
        """
        model = cls()
        model._connections = Connections(endpoint, patience)
        return model

    def connect(self) -> None:
        """Log in now, and check that the tables exist.

        Raises `LoginFailed`, `ServerUnreachable`, `SchemaMissing`, `SchemaTooNew` or `PrivilegeMissing`.
        """
        self._connections.read(partial(schema.check, endpoint=self._connections.endpoint))

    @property
    def server_facts(self) -> ServerFacts:
        """What the latest new connection has found out about the server."""
        return self._connections.facts

    def read_schema_version(self) -> int:
        """Read the present version of the schema, and keep it in `server_facts`. 0: there is no schema."""

        def look(cursor: Cursor) -> int:
            return schema.installed_version(cursor) or 0

        version = self._connections.read(look)
        self._connections.facts = self._connections.facts._replace(version=version)
        return version

    def read_history_at(self, endpoint: Mapping[str, str]) -> None:
        """Read histories from that endpoint, such as a standby; while it can't be reached, from the main one."""
        self._history = Connections(endpoint)

    def listen_at(self, endpoint: Mapping[str, str]) -> None:
        """Use that endpoint for notifications and presence: the server itself, if the main one is a pooler."""
        self._direct = Connections(endpoint)

    def close(self) -> None:
        """Close the connections of all threads."""
        self._connections.close()
        if self._direct is not None:
            self._direct.close()
        if self._history is not None:
            self._history.close()

    def close_idle(self, seconds: float) -> int:
        """Close the connections that nobody has used for `seconds`; each is opened again at its next use.

        Those for presence and for notifications stay open. Return how many were closed.
        """
        every = (self._connections, self._direct, self._history)
        return sum(each.close_idle(seconds, self._presence.process) for each in every if each is not None)

    def cancel_query(self, thread_ident: int) -> bool:
        """Cancel the query of that thread, which then raises `QueryCancelled`; a save isn't cancelled."""
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
        """Return who withdrew the record with that key, or moved it and where to, in words; '' if nobody did."""
        key = _parsed(Date=date, Time=time, Lab=lab, Plot=plot)
        return self._connections.read(partial(saving.describe_removal, key=key)) if key else ""

    def get_history(self, date: object, time: object, lab: object, plot: object) -> list[Change]:
        """Return the changes of that record: what, by whom, when and why; oldest first."""
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

        `saved_version` is then the record's version (`None`: not known, because the save had been done before).

        The record has typed values, or texts as they are typed. `write="insert"` refuses a record that exists,
        `write="update"` one that doesn't. A technician other than the check's is stored for this plot only, or also for
        the check if no other plot of it is recorded.

        `expected_version`: the version that an update corrects; if the record has another, `RecordConflict` is raised,
        and contains it. `author`, `workstation` (default: this computer) and `reason` go to the audit. `entry`: an
        idempotency key (a UUID) of an entry in a journal; `typed`: when it was kept there.

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
        """Return the technician of that check, and which of its plots are recorded, by whom."""
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
        """Set the technician of a whole check, with all its plots. Raises `RecordInvalid`.

        `expected_version`: the check's `CheckProgress.version`; if it has changed since, raises `CheckChanged`, and
        nothing is changed.
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
        """Return the values that the lists of the form offer."""
        return self._connections.read(administration.read_choices)

    # ------------------------------------------------------------------------------------------------------- list

    def count_records(self, selection: Selection) -> PositionIndex:
        """Count the records of a selection, with positions; takes seconds for ten million, and can be cancelled."""
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

        They begin at the position `start` (fast anywhere with the `index` of `count_records`), after the record
        `after`, or are those before the record `before`, or the `last` ones.
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
        """Return the position of a record in a selection of some thousands, `None` if it isn't in it."""
        key = _parsed(Date=date, Time=time, Lab=lab, Plot=plot)

        def run(cursor: Cursor) -> int | None:
            cursor.execute(saving.GET_RECORD, key)
            found = rows_as_dicts(cursor)
            return paging.get_position(cursor, selection, found[0]) if found else None

        return self._connections.read(run) if key else None

    def export_records(
        self, path: str | Path, first_date: datetime.date, last_date: datetime.date | None = None
    ) -> int:
        """Write the records of a day, or from one day to another, to a CSV file; return how many.

        The file appears complete or not at all; without records none is written. Raises `OSError`, too.
        """
        last = first_date if last_date is None else last_date
        return self._connections.read(
            partial(extract.export, path=Path(path), first_date=first_date, last_date=last), snapshot=True
        )

    def view_names(self) -> list[str]:
        """Return the names of the views that `read_view` can read."""
        return self._connections.read(view_rows.view_names)

    def read_view(self, wanted: view_rows.ViewQuery, take: Callable[[view_rows.ViewRows], Result]) -> Result:
        """Return `take(rows)`; the rows of a view come in batches, from one snapshot.

        If the connection is lost, `take` is called again with all rows. Raises `UnknownView`.
        """
        return self._connections.read(partial(view_rows.read_rows, wanted=wanted, take=take), snapshot=True)

    # --------------------------------------------------------------------------------- presence, privileges, the audit

    def enter_check(
        self, date: object, time: object, lab: object, plot: int | None, who: str, workstation: str | None = None
    ) -> None:
        """Show others that this window is entering that check, and which plot is open, until `leave_check`.

        The presence is tied to the connection of the calling thread, so use one thread for it.
        """
        key = _parsed(Date=date, Time=time, Lab=lab)
        place = platform.node() if workstation is None else workstation
        if key:
            self._own_sessions().write(partial(self._presence.hold, key=key, plot=plot, who=who, workstation=place))

    def claim_plot(self, date: object, time: object, lab: object, plot: int, who: str) -> bool:
        """As `enter_check`, but if another window has the plot open, this one is shown with no plot.

        Return whether the plot is this window's. If two claim it at the same time, only the first gets it. Call it on
        the thread of `enter_check`.
        """
        key, place = _parsed(Date=date, Time=time, Lab=lab), platform.node()
        if not key:
            return False
        return self._own_sessions().write(partial(self._presence.claim, key=key, plot=plot, who=who, workstation=place))

    def claim_next_plot(self, date: object, time: object, lab: object, plots: Sequence[int]) -> int | None:
        """Return the first of `plots` that is neither recorded nor open in another window, and claim it for this one.

        `None` if there is none. Call `enter_check` or `claim_plot` for that check first. Works on any thread."""
        key = _parsed(Date=date, Time=time, Lab=lab)
        return self._connections.write(partial(self._presence.claim_next, key=key, plots=plots)) if key else None

    def leave_check(self) -> None:
        """End the presence of `enter_check`; call it on the same thread."""
        self._own_sessions().write(self._presence.leave)

    def get_presence(self, date: object, time: object, lab: object) -> list[Presence]:
        """Return who is entering that check, in order of arrival."""
        key = _parsed(Date=date, Time=time, Lab=lab)
        return self._connections.read(partial(self._presence.present, key=key)) if key else []

    def _own_sessions(self) -> Connections:
        """Return connections with sessions of their own; raises `NotThroughPooler` if there is only a pooler."""
        connections = self._direct or self._connections
        connections.connect()
        if connections.facts.pooled:
            raise NotThroughPooler(
                "There is a connection pooler in front of the database, so others don't see who is entering what. An"
                " administrator can name the server itself in the setting db_notify_host."
            )
        return connections

    def watch(self, notify: Callable[[list[presence.Notification]], object], stop: threading.Event) -> None:
        """Call `notify` with others' changes until `stop` is set; on a thread of its own. See `presence.watch`."""
        presence.watch((self._direct or self._connections).endpoint, notify, stop)

    def owns(self, process: int) -> bool:
        """Return whether a server process (PID) serves this model, so that its changes are our own."""
        return self._connections.owns(process) or (self._direct is not None and self._direct.owns(process))

    def privileges(self) -> Privileges:
        """Return what this login may do."""
        return self._connections.read(schema.read_privileges)

    def audit_heads(self, date: datetime.date | None = None) -> str:
        """Return the audit's head of each lab as one line: `A 12 <hash>; B 7 <hash>`; '' if nothing is audited.

        With a date, only of the labs that have a check on that day.
        """
        return self._connections.read(partial(extract.audit_heads, date=date))

    def verify_audit(self, heads: str = "") -> auditing.Verdict:
        """Verify all chains of the audit, recomputing each hash; takes a minute for each million entries.

        `heads`: a line of `audit_heads`, from a delivery, that the chains must still contain. Raises `ValueError` if it
        isn't such a line.
        """
        witnesses = auditing.parse_heads(heads)
        verdict = self._connections.read(partial(auditing.verify, witnesses=witnesses), snapshot=True)
        differences, not_compared = schema.compare(self._connections)
        found = verdict._replace(findings=(*verdict.findings, *differences), not_compared=not_compared)
        return found.printable()

    # ---------------------------------------------------------------------- weather, deliveries, administration

    def add_weather_data(self, data: Mapping[str, str | None]) -> bool:
        """Store the observation of `network.get_local_weather`; False if it is stored already.

        In that case only its NULLs are filled. Raises `ObservationInvalid`, and `ObservationElsewhere` if there is one
        of another station with the same time; then nothing is stored.
        """
        return self.store_weather(data).state in ("new", "replaced")

    def store_weather(self, data: Mapping[str, str | None]) -> weather.Stored:
        """As `add_weather_data`, but return what was stored."""
        seen = parse_observation(data)
        try:
            return self._connections.write(partial(weather.store, seen=seen))
        except OutcomeUnknown:
            again = self._connections.write(partial(weather.store, seen=seen))
            self._connections.confirm()
            return again if again.state != "known" or again.differing else again._replace(state="new")

    @property
    def weather_history(self) -> WeatherHistory:
        """The observations of a longer time: gaps, and storing many at once."""
        return WeatherHistory(self._connections)

    @property
    def notices(self) -> Notices:
        """The company's notices, and who has read them."""
        from abq_data_entry.models.notices import Notices  # not at the top: it costs a millisecond at the start

        return Notices(self._connections)

    def record_deliveries(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Write the states of deliveries (columns of `deliveries`), all of them or none.

        Writing the same row again changes nothing.
        """
        self._connections.write_repeatable(partial(extract.record, rows=rows))

    def latest_delivery(self, date: datetime.date, file_name: str, destination: str) -> int:
        """Return the highest version of a day's file for a destination such as `rest`, 0 if there is none."""
        return self._connections.read(
            partial(extract.latest_version, date=date, file_name=file_name, destination=destination)
        )

    def extract_days(self, dates: Iterable[datetime.date]) -> list[ExtractDay]:
        """Return how many records each of these days has, and the state of its extracts; earliest day first."""
        return self._connections.read(partial(extract.extract_days, dates=dates))

    def outdated_deliveries(self) -> list[OutdatedDelivery]:
        """Return delivered extracts that should be sent again, because records of their day were changed since."""
        return self._connections.read(extract.outdated)

    def add_technician(self, technician_id: int, name: str) -> bool:
        """Add a technician; False if that one is there already. Raises `DatabaseError` if the id or name is taken."""
        return self._connections.write(partial(administration.add_technician, technician_id=technician_id, name=name))

    def import_lists(
        self, technicians: Sequence[tuple[int | None, str]], seeds: Sequence[tuple[str, int, str | None]]
    ) -> int:
        """Import a list of technicians or seed samples, all or nothing; return how many were new."""
        return self._connections.write(partial(administration.import_lists, technicians=technicians, seeds=seeds))

    def rename_technician(self, technician_id: int, name: str) -> str:
        """Rename a technician, also in old records; return the old name."""
        return self._connections.write(
            partial(administration.rename_technician, technician_id=technician_id, name=name)
        )

    def retire_technician(self, technician_id: int, retired: bool = True) -> str:
        """Stop offering a technician for new records, or (`retired` False) offer them again; return the name."""
        return self._connections.write(
            partial(administration.retire_technician, technician_id=technician_id, retired=retired)
        )

    def remove_technician(self, technician_id: int) -> str:
        """Remove a technician who has never recorded anything; return the name. Raises `DatabaseError` for others."""
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
        """Set the seed sample that grows in a plot; `None`: none."""
        self._connections.write(partial(administration.set_seed_sample, lab=lab, plot=plot, seed_sample=seed_sample))

    def chart_rows(self, choice: ChartChoice) -> list[Record]:
        """Return the rows that a chart draws, a few thousand at most; times are in the labs' time zone."""
        return self._connections.read(partial(view_rows.read_chart, choice=choice), snapshot=True)

    def refresh_kept(self, cancel: threading.Event) -> bool:
        """Refresh the kept results of QA's slow views; see `view_rows.refresh_kept`. Saves don't wait for it."""
        return view_rows.refresh_kept(self._connections, cancel)

    def today(self) -> Today:
        """Return the state of the present day in the labs' time zone."""
        return self._connections.read(read_today, snapshot=True)

    def find_record(
        self, date: datetime.date, time: datetime.time | None, lab: str, plot: int | None
    ) -> tuple[object, ...] | None:
        """Return date, time, lab and plot of the first record behind a point of a chart; None if there is none.

        `time` None, `lab` '' and `plot` None mean any; `charts.page.LATEST` as the date means the latest record.
        """
        return self._connections.read(partial(view_rows.find_record, key=(date, time, lab, plot)))

    def time_zone(self) -> str:
        """Return the time zone of the labs, such as `America/Denver`."""
        return self._connections.read(administration.time_zone)

    def set_time_zone(self, name: str) -> str:
        """Set the time zone of the labs; return the previous one."""
        return self._connections.write(partial(administration.set_time_zone, name=name))


def _parsed(**key: object) -> Record | None:
    """Return the typed values of a key; None if one of them is invalid, so that no record can have it."""
    date, time, lab, plot = (key.get(name) for name in fields.RECORD_KEY)
    is_lab = isinstance(lab, str) and len(lab) == 1 and lab.isalnum()
    is_plot = plot is None or (type(plot) is int and plot in _PLOTS)
    if type(date) is datetime.date and time in CHECK_TIMES and is_lab and is_plot:
        return key  # already typed
    try:
        return {
            name: fields.parse(each, fields.format_value(each, value))
            for name, value in key.items()
            for each in (fields.field(name),)
        }
    except ValueError:
        return None
