"""Creates the parts of the application and connects them: passes what one part reports to others."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from ..constants import EXTRACT_NAME
from ..network.destinations import KINDS, destination, set_up, stored_in
from .main_window import MainWindow

if TYPE_CHECKING:
    from _tkinter import TkappType

    from ..journal import Entry
    from ..models import SQLModel
    from ..stored_destination import StoredDestination
    from ..views import FormCallbacks
    from ..views.record_list import ListCallbacks
    from .alarms import AlarmList
    from .conflicts import WaitingDecisions
    from .connection import ConnectionCallbacks
    from .exports import Exports
    from .history import Histories
    from .marks import MarkActions
    from .notes import NoteActions
    from .notices import CompanyNotices
    from .outage import ReconnectingCallbacks, WaitingCallbacks
    from .receipts import Answers
    from .shift_messages import ColleagueMessages
    from .side_list import WindowContext
    from .today import TodayActions
    from .undoing import Changes


class Wiring(MainWindow):
    """The parts of the application, made and connected: each takes the few things that it needs.

    They are imported and created once the window is shown, so that it is shown sooner. A part that is created even
    later is reached through a function.
    """

    def __init__(self, interpreter: TkappType | None = None) -> None:
        super().__init__(interpreter)
        self.filename = tk.StringVar(self, EXTRACT_NAME.format(date=self.shared.today()))
        self.build()

    def make_parts(self) -> None:
        """Create and connect all parts that the start doesn't need at once."""
        from .backup import BackupActions, Backups
        from .connection import Connection, IdleConnections
        from .deliveries import Deliveries
        from .delivery_schedule import DeliverySchedule
        from .entry import Drafts, RecordEntry, Saver
        from .extract_days import Export, ExtractDays
        from .following import CheckPresence, Following, FollowingActions
        from .lookup import Browsing, Checks, KnownCopy
        from .marks import Questions
        from .navigation import Navigation, NavigationActions, NewDay
        from .notes import Handover
        from .outage import Reconnecting, WaitingRecords
        from .outdated import Outdated
        from .permissions import Permissions
        from .preferences import DesktopEntry
        from .stored_destinations import StoredDestinations
        from .taking_back import TakingBack
        from .today import DayStatus
        from .tools import BackgroundCommands, Tools
        from .weather_schedule import WeatherSchedule
        from .which_database import DamageRecovery, DatabaseChanges, WhichDatabase, WhichDatabaseCallbacks

        self.make_list()
        settings, show_status = self.own_settings, self.status.set
        self.drafts = Drafts(self.form, self.jobs, self.messages, show_status, lambda: self.shared.names)
        self.connection = Connection(
            self, self.shared, self.jobs, self.messages, show_status, settings, self._connection_callbacks()
        )
        self.reconnecting = Reconnecting(self, self.shared, self.jobs, self._reconnecting_callbacks())
        self.known_copy = KnownCopy(self.form, self.jobs, self.shared, self.show_choices, self._show_copy)
        self.presence = CheckPresence(self.form, self.shared, self.jobs, show_status, self.reconnecting)
        self.checks = Checks(
            self.form,
            self.jobs,
            self.shared,
            self.known_copy,
            self.connection,
            self.reconnecting,
            self.presence.follow_form,
        )
        self.navigation = Navigation(
            self.form,
            self.shared,
            self.connection,
            self.reconnecting,
            self.messages,
            show_status,
            self.drafts,
            self.known_copy,
            NavigationActions(
                lambda entry: self.waiting_decisions.open(entry), self.show_form, lambda: self.shows_form
            ),
        )
        self.waiting_records = WaitingRecords(
            self.form,
            self.status_bar,
            self.jobs,
            self.shared,
            self.messages,
            show_status,
            self.reconnecting,
            self._waiting_callbacks(),
        )
        self.taking_back = TakingBack(
            self.form,
            self.shared,
            self.messages,
            show_status,
            self.waiting_records,
            self.connection,
            self.reconnecting,
            self.navigation,
            self.show_form,
            self.drafts.edited,
            self._taken_back,
            self.drafts.put,
        )
        self.permissions = Permissions(self.shared, self.jobs, show_status, self.offer_commands)
        self.run: Callable[..., object] = partial(self.messages.run, self.permissions.run)
        """``run(name, action, *arguments)`` runs an action as a command of the user, unless the login may not do it."""
        self.extract_days = ExtractDays(self.form, self.status_bar.extracts, self.shared, self.jobs)
        self.today = DayStatus(self, self.shared, self.connection, self.layout.has_room, self._today_actions())
        self.extract_days.changed, self.layout.resized = self.today.look_soon, self.today.fit
        self.after_idle(self.today.fit)  # because the window got its first size before this part existed
        self.export = Export(self, self.shared, self.jobs, self.messages, show_status, self.extract_days)
        self.commands = BackgroundCommands(
            self.form, self.status_bar, self.shared, self.jobs, show_status, self.extract_days.look_soon
        )
        self.deliveries = Deliveries(
            self,
            self.shared,
            settings,
            self.jobs,
            self.messages,
            show_status,
            self.commands.begin,
            lambda name: name in self.commands.running,
            self.show_deliveries,
        )
        self.backups = Backups(
            self,
            self.shared,
            self.jobs,
            self.messages,
            show_status,
            settings,
            self.status_bar,
            BackupActions(
                self.commands.begin,
                self.commands.may_begin,
                self.connection.endpoint,
                lambda expected: self.database_changes.expect_another(expected),
                self.refresh,
            ),
        )
        self.which_database = WhichDatabase(
            self,
            self.shared,
            self.jobs,
            settings,
            self.status_bar,
            self.messages.settled,
            WhichDatabaseCallbacks(lambda: self.connection.database, self.connection_lost, self._open_database),
        )
        self.idle_connections = IdleConnections(self, self.shared, self.jobs, settings)
        self.database_changes = DatabaseChanges(self.shared, self.jobs, self.messages.bar, self.refresh)
        self.browsing = Browsing(
            self.record_list,
            self.shared,
            self.connection,
            self.jobs,
            show_status,
            self.known_copy,
            self.reconnecting.means_away,
            self.extract_days.look_soon,
            self.status.get,
        )
        self.following = Following(
            self.form,
            self.record_list,
            self.jobs,
            show_status,
            self.browsing,
            self.presence,
            self.database_changes,
            FollowingActions(
                self._lists_changed, self.extract_days.look_soon, self._marks_changed, self._messages_heard,
                self._form_changed,
            ),
        )
        self.questions = Questions(self._window_context(), self.form, self._mark_actions())
        self.handover = Handover(self._window_context(), self.form, self._note_actions())
        self.damage_recovery = DamageRecovery(
            self.jobs,
            self.messages,
            lambda: str(self.settings["db_name"].get()),
            self.backups,
            self.commands.begin,
            self.connection.connect,
        )
        self.tools = Tools(
            self, self.shared, settings, self.jobs, self.messages, show_status, self.commands, self.deliveries,
            self.extract_days,
        )  # fmt: skip
        self.outdated = Outdated(
            self.shared,
            self.connection,
            self.messages,
            show_status,
            self.deliveries,
            self.commands.may_begin,
            self.messages.command(self.show_deliveries),
        )
        self.weather_schedule = WeatherSchedule(
            self,
            self.shared,
            self.jobs,
            settings,
            self.messages,
            lambda: "update_weather_data" not in self.permissions.denied,
        )
        self.destinations = StoredDestinations(self.shared, self.jobs, settings, self._offer_destinations)
        self.delivery_schedule = DeliverySchedule(
            self,
            self.shared,
            self.jobs,
            settings,
            self.messages,
            show_status,
            self.deliveries,
            lambda: f"upload_to_corporate_{KINDS[0]}" not in self.permissions.denied,
            lambda kind, date: self.upload(kind, date),
        )
        self.desktop_entry = DesktopEntry(self.jobs, self.messages, show_status)
        self.saver = Saver(
            self.form,
            self.jobs,
            self.shared,
            show_status,
            self.waiting_records,
            self.reconnecting,
            self.connection.retry_after_restart,
            self.database_changes.ask,
            self.presence.announce_again,
        )
        self.entry = RecordEntry(
            self.form,
            self.shared,
            self.messages,
            show_status,
            self.saver,
            self.drafts,
            self.waiting_records,
            self.known_copy,
            self.browsing,
        )
        self.new_day = NewDay(self, self.shared, self.form, show_status, self.navigation.leave_form, self._day_began)
        self.form.callbacks = self._form_callbacks()
        self.record_list.begin(self._list_callbacks())

    @property
    def data_model(self) -> SQLModel | None:
        """The database; ``None`` until it is open."""
        return self.shared.model

    # -- what the parts call ------------------------------------------------------------------------------

    def _form_callbacks(self) -> FormCallbacks:
        from ..views import FormCallbacks

        command = self.messages.command
        return FormCallbacks(
            self.checks.chosen,
            command(self.entry.save),
            command(self.navigation.go_to_plot),
            command(self.navigation.open_recorded),
            self.drafts.edited,
            self.presence.confirmed,
            command(self.navigation.begin_next_check),
            command(self.drafts.discard),
            self.drafts.find,
            self.drafts.stay_behind,
            self.drafts.is_other,
        )

    def _list_callbacks(self) -> ListCallbacks:
        from ..views.record_list import ListCallbacks

        command, run = self.messages.command, self.run
        return ListCallbacks(
            self.browsing.fetch,
            self.browsing.filter_changed,
            command(self.navigation.open_row),
            command(lambda row: self.histories.show_of(row)),
            [
                ("Withdraw Record…", lambda row: run("withdraw_record", lambda: self.changes.withdraw(row))),
                ("Move Record…", lambda row: run("move_record", lambda: self.changes.move(row))),
                ("Correct Many…", lambda _: run("correct_many", self.correct_many)),
            ],
            self.browsing.chosen,
            self.browsing.choose_all,
        )

    def _reconnecting_callbacks(self) -> ReconnectingCallbacks:
        from .outage import ReconnectingCallbacks

        return ReconnectingCallbacks(
            self.connection.attempt,
            self.database_back,
            self._show_copy,
            lambda: self.waiting_records.show_line(),
            lambda: "," in str(self.settings["db_host"].get()),
        )

    def _waiting_callbacks(self) -> WaitingCallbacks:
        from .outage import WaitingCallbacks

        return WaitingCallbacks(
            self._waiting_saved,
            self.retry_database,
            lambda: self.extract_days.of_form,
            lambda entry: self.waiting_decisions.open(entry),
            lambda entry: self.waiting_decisions.discard(entry),
            self.navigation.leave_form,
        )

    def _window_context(self) -> WindowContext:
        from .side_list import WindowContext

        return WindowContext(
            self, self.shared, self.connection, self.messages, self.status.set, self.taking_back.by,
            self.reconnecting.means_away, self.drafts.unsent,
        )  # fmt: skip

    def _may_take_messages(self) -> bool:
        return "show_shift_messages" not in self.permissions.denied

    def _mark_actions(self) -> MarkActions:
        from .marks import MarkActions

        return MarkActions(
            self.navigation.open_row,
            self.show_form,
            lambda: self.changes.attended(),
            lambda: "mark_value" not in self.permissions.denied,
            lambda: "save_record" not in self.permissions.denied,
            self.status.get,
        )

    def _note_actions(self) -> NoteActions:
        from .notes import NoteActions

        command = self.messages.command
        return NoteActions(
            command(self._go_to_check),
            command(self.navigation.go_to_plot),
            lambda: "write_note" not in self.permissions.denied,
        )

    def _connection_callbacks(self) -> ConnectionCallbacks:
        from .connection import ConnectionCallbacks

        return ConnectionCallbacks(
            self._connected,
            self._went_away,
            self.connection_lost,
            self.show_in_list,
            self.form.known.look_up,
            self.form.who.forget,
            lambda error: self.damage_recovery.offer_restore(error),
            self.retry_database,
        )

    def _go_to_check(self, date: datetime.date, time: str, lab: str) -> None:
        def go() -> None:
            self.show_form()
            self.form.shown_record.set_check(date, time, lab)
            self.form.focus_first_empty()

        self.navigation.leave_form(go)

    def _today_actions(self) -> TodayActions:
        from .today import TodayActions

        command = self.messages.command
        return TodayActions(
            command(self._go_to_check),
            command(lambda: self.questions.show()),
            command(lambda: self.handover.show()),
            lambda: self.commands_by_name["update_weather_data"](),
            command(self.show_deliveries),
            lambda: self.deliveries.count_unfinished(),
        )

    def _marks_changed(self) -> None:
        self._look_for_remarks()
        self.today.look_soon()

    def _look_for_remarks(self) -> None:
        self.questions.look()
        self.handover.look()

    def _form_changed(self) -> None:
        if "shift_messages" in self.__dict__:
            self.shift_messages.look_who_asks()

    def _messages_heard(self) -> None:
        if "shift_messages" in self.__dict__:  # else they are looked up when it is made
            self.shift_messages.heard()
        if "notices" in self.__dict__:
            self.notices.heard()

    # -- created when first needed, so that their imports don't slow the start -------------------------------

    @cached_property
    def changes(self) -> Changes:
        """The part that changes saved records."""
        from .undoing import Changes

        return Changes(
            self._window_context(),
            self.form,
            self.record_list,
            self.taking_back,
            self.reconnecting,
            self.navigation,
            self._saved_records_changed,
        )

    @cached_property
    def histories(self) -> Histories:
        """The part that shows the histories of records, and the withdrawn ones."""
        from .history import Histories

        return Histories(
            self,
            self.form,
            self.record_list,
            self.shared,
            self.connection,
            self.messages,
            self.status.set,
            self.changes,
            self.permissions.run,
        )

    @cached_property
    def waiting_decisions(self) -> WaitingDecisions:
        """The part for records that need a decision; created with the first one."""
        from .conflicts import WaitingDecisions

        return WaitingDecisions(
            self.form,
            self.jobs,
            self.shared,
            self.messages,
            self.status.set,
            self.waiting_records,
            self.saver.save,
            self.reconnecting,
            self.navigation.open_record,
            self.navigation.leave_form,
            self.show_form,
            self._decided,
        )

    @cached_property
    def shift_messages(self) -> ColleagueMessages:
        """The part that shows and sends messages of colleagues; created some seconds after the start."""
        from .shift_messages import ColleagueMessages

        return ColleagueMessages(self._window_context(), self.form, self._may_take_messages)

    @cached_property
    def alarm_list(self) -> AlarmList:
        """The part that looks for alarms and shows them; created some seconds after the start."""
        from .alarms import AlarmList

        return AlarmList(
            self._window_context(), self.jobs, self.own_settings, lambda: self.deliveries.logins.keyring_silent
        )

    @cached_property
    def notices(self) -> CompanyNotices:
        """The part for the company's notices; created some seconds after the start, if there are any."""
        from .notices import CompanyNotices

        return CompanyNotices(self._window_context(), self.jobs, self.own_settings, self._may_take_messages)

    @cached_property
    def answers(self) -> Answers:
        """The part that reads receivers' answers to deliveries; created some seconds after the start."""
        from .receipts import Answers

        return Answers(
            self,
            self.shared,
            self.jobs,
            self.own_settings,
            self.messages,
            self.status.set,
            lambda: f"upload_to_corporate_{KINDS[0]}" not in self.permissions.denied,
            self.messages.command(self.show_deliveries),
            self.deliveries.report_damage,
            self.deliveries.logins,
        )

    @cached_property
    def exports(self) -> Exports:
        """The part that exports views to files."""
        from .exports import Exports

        return Exports(self, self.shared, self.connection, self.messages, self.status.set, self.commands)

    def correct_many(self) -> None:
        """Correct the records chosen in the list."""
        from .correcting_many import correct_many

        correct_many(self.form, self.record_list, self.status.set, self.changes)

    def show_deliveries(self) -> None:
        """Open the window of deliveries."""
        from .delivery_list import show_deliveries

        show_deliveries(
            self, self.jobs, self.messages, self.status.set, self.deliveries, self.outdated, self.compare_there,
            self.answers,
        )  # fmt: skip

    def compare_there(self, kind: str) -> str:
        """Show the folder of a destination, compared with what was sent; return why that can't be done, else empty."""
        from .remote_files import compare_there

        return compare_there(
            self, self.jobs, self.messages, self.own_settings, self.deliveries.logins, self.shared, kind
        )

    # -- what is saved ----------------------------------------------------------------------------------

    def _waiting_saved(self, entries: tuple[Entry, ...]) -> None:
        """Show records that waited here as saved, because the database has them now."""
        for entry in entries:
            self.known_copy.record_saved(entry.record)
            self.record_list.mark(entry.key, "new" if entry.write == "insert" else "edited")
        self.form.known.look_up()
        self.browsing.look_again()

    def _taken_back(self, gone: tuple[Any, ...] | None) -> None:
        if gone is not None:
            self.record_list.unmark(gone)
        self.form.known.look_up()
        self.browsing.look_again()
        self.outdated.offer()

    def _decided(self, record: Mapping[str, Any] | None, key: tuple[Any, ...]) -> None:
        self.form.known.look_up()
        if record is None:  # the database doesn't have the decision yet
            self.browsing.look_again()
            return
        self.known_copy.record_saved(record)
        self.browsing.record_saved(key, corrected=True)

    def _saved_records_changed(self) -> None:
        self.form.known.look_up()
        self.browsing.look_again()
        self.outdated.offer()

    # -- the database -----------------------------------------------------------------------------------

    def _open_database(self) -> None:
        """Open the database, now that it is certain which one is meant."""
        from ..widgets.focus import typed_keys

        # Opening the window counts as the command to log in to a configured server, so a dialog may open.
        needs_login = bool(self.settings["db_host"].get())
        connect = self.connection.connect
        (self.messages.command(connect) if needs_login and not typed_keys(self) else connect)()
        database = self.connection.database
        self.waiting_records.begin(database)
        self.known_copy.begin(database, self.drafts.file)
        self.drafts.begin(database)

    def _went_away(self, error: BaseException, by_itself: bool) -> None:
        self.reconnecting.lost(error, by_itself)
        self.known_copy.show_choices()

    def _day_began(self, today: datetime.date) -> None:
        self.filename.set(EXTRACT_NAME.format(date=today))
        self.form.dates.begin_day()
        self.extract_days.look_soon()
        self.record_list.begin_day(self.form.date)

    def _connected(self, model: SQLModel, choices: Any) -> None:
        previous, self.shared.model = self.shared.model, model
        self.database_changes.forget()
        if previous is not None:
            self.jobs.submit("database", previous.close)
        self.status_bar.show_connection("")
        self.status.set(self.drafts.greeting)
        self._show_database(model, choices)
        self.following.begin(model)
        self.browsing.restart()
        self._offer_extracts()
        self.waiting_records.replay_now()
        self.destinations.look(self.deliveries.offer)  # afterwards, because waiting deliveries may go to one of them
        self.backups.begin_daily()
        self.weather_schedule.begin()

    def database_back(self, model: SQLModel, choices: Any) -> None:
        """Update everything after the database has come back."""
        if self.shared.model is None:
            self._connected(model, choices)
            return
        self._show_database(model, choices)
        self.browsing.show_source()
        self.waiting_records.replay_now()
        self.following.begin_again(self.shared.model)
        self.status.set("The database is back")

    def _show_database(self, model: SQLModel, choices: Any) -> None:
        self.reconnecting.back()
        self.known_copy.choices_loaded(choices)
        self.show_choices(choices)
        self.permissions.ask(model)
        self.form.known.look_up()
        if (closed := self.form.shown_record.closed) is not None:  # a record that couldn't be opened
            self.navigation.open_record(closed)

    def _lists_changed(self, choices: Any) -> None:
        """Update lists and destinations after a change of technicians, labs, plots or destinations."""
        self.show_choices(choices)
        self.destinations.look()

    def _offer_destinations(self, found: Sequence[StoredDestination]) -> None:
        """Offer these destinations of the database in the menus."""
        self.offer_destinations([(each.name, partial(self.upload, each.key)) for each in found])
        self.delivery_schedule.look()
        self._offer_extracts()

    def _offer_extracts(self) -> None:
        """Show the last days in the status bar, with the commands for their extracts."""

        def export(date: datetime.date) -> object:
            return self.waiting_records.agree(lambda: self.export.export(date), date)

        values = {name: variable.get() for name, variable in self.settings.items()}
        ways = (*set_up(values), *(destination(each.key) for each in stored_in(self.own_settings.values())))
        uploads = ((f"Upload to {to.name}", partial(self.upload, to.kind)) for to in ways)
        self.status_bar.extracts.offer((*uploads, ("Export", export)))
        self.extract_days.look_soon()

    def upload(self, kind: str, date: datetime.date | None = None) -> object:
        """Send the extract of ``date`` to the destination of that kind; ask for the login if it isn't known.

        Without ``date``, that of the form's day, or of one that the user chooses: see :mod:`.extract_days`.
        """
        # The right to deliver is the same for all destinations of the database.
        name = f"upload_to_corporate_{kind if kind in KINDS else KINDS[0]}"
        upload = partial(self.tools.upload, kind, date)
        return self.run(name, self.waiting_records.agree, upload, date)

    def retry_database(self) -> None:
        """Try to connect to the database now; if nobody is logged in, ask for a login."""
        if not self.which_database.is_settled():
            return
        if self.connection.may_attempt and not self.shared.login_refused:
            self.reconnecting.retry_now()
        else:
            self.connection.connect()

    def refresh(self) -> None:
        """Fetch again what is shown; try to connect to a database that is away, or was never opened."""
        if self.shared.away:
            self.retry_database()
            return
        if self.data_model is None:
            if self.which_database.is_settled():
                self.connection.connect()
            return
        self.jobs.submit("records", self.data_model.choices, done=self.show_choices)
        self.form.known.look_up()
        self._look_for_remarks()
        self.browsing.restart()

    def _show_copy(self) -> None:
        """Show the last known copy in form and list, because the database is away."""
        self.form.known.look_up()
        self.browsing.show_copy()
        self.today.show_known()
