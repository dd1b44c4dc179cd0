"""The application: what its menus and keys call, and how it begins and ends."""

from __future__ import annotations

import datetime
import tkinter as tk
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from ..constants import FieldNames as F
from ..fields.dates import DateReader
from ..network.destinations import KINDS
from .preferences import month_first
from .wiring import Wiring

if TYPE_CHECKING:
    from _tkinter import TkappType

    from ..views.form_content import RecordKey
    from ..widgets.field_input import FieldInput
    from .unsent import NotSent

_OF_A_ROW = ("withdraw_record", "move_record", "correct_many", "show_history", "mark_value")
_QUIT = "Quit"
LOAD_AHEAD_MS = 2000  # after the start, so that it isn't slowed


class Application(Wiring):
    """The main window.

    ``callbacks`` are the functions of menus and keys, by name; ``settings`` the Tk variables of the settings file;
    ``status`` the text of the status bar; ``filename`` the name of today's extract; ``shared`` the state that its parts
    share; ``has_parts``: whether they are created, which happens once the window is shown or a command is called.
    With an ``interpreter`` (of :mod:`.interpreter`) the window is made in there.
    """

    def __init__(self, interpreter: TkappType | None = None) -> None:
        super().__init__(interpreter)
        self.load_ahead_timer = ""
        self.has_parts = False
        self._left: tuple[RecordKey | None, FieldInput | None] = (None, None)  # the field that was left for the list
        self.show()
        self.await_screen(self._begin_work)

    def make_parts(self) -> None:
        """Create and connect all parts, and bind the keys of the commands; only once."""
        if self.has_parts:
            return
        from .keys import bind_all_keys

        self.has_parts = True
        super().make_parts()
        self.commands_by_name.update(self._make_callbacks())
        editors = [each.editor for each in self.form.inputs.values() if not isinstance(each.editor, tk.Text)]
        bind_all_keys(self, self.callbacks, self.messages.command(self.navigation.go_to_plot), editors)
        self.protocol("WM_DELETE_WINDOW", self.callbacks["quit"])
        if self.form.changed:  # somebody has typed into the form already
            self.form.callbacks.edited()

    @property
    def callbacks(self) -> dict[str, Callable[..., object]]:
        """The commands of menus and keys, by name."""
        self.make_parts()
        return self.commands_by_name

    # -- the commands of the Tools menu, which may be called by scripts as well ----------------------------

    def update_weather_data(self) -> object:
        """Fetch the weather station's current observation and store it, in the background."""
        self.make_parts()
        return self.run("update_weather_data", self.tools.update_weather_data)

    def upload_to_corporate_rest(self, date: datetime.date | None = None) -> object:
        """Send an extract to the REST service, in the background."""
        self.make_parts()
        return self.upload("rest", date)

    def upload_to_corporate_ftp(self, date: datetime.date | None = None) -> object:
        """Send an extract to the FTP or SFTP server, in the background."""
        self.make_parts()
        return self.upload("ftp", date)

    def quit_application(self) -> None:
        """Close the window; asks first if unfinished work would be lost. What is half typed is kept."""
        self.make_parts()
        if self.form.saving:  # perhaps until somebody has answered which version is right
            self.status.set("The window closes once the record in the form is saved")
        self.messages.command(self.navigation.after_saving)(self._quit_unless_unsent)

    # -- what menus and keys call --------------------------------------------------------------------------

    def _make_callbacks(self) -> dict[str, Callable[..., object]]:
        """Return the commands of menus and keys, by name; one that the login may not do only says so."""
        callbacks: dict[str, Callable[..., object]] = {
            "new_record": self.navigation.new_record,
            "save_record": self.form.submit,
            "discard_draft": self.drafts.discard,
            "export_extract": lambda: self.waiting_records.agree(self.export.ask_day),
            "export_view": lambda: self.exports.ask(),
            "show_extracts": self._go_to_extracts,
            "back_up": self.backups.ask_and_back_up,
            "restore": self.backups.ask_and_restore,
            "quit": self.quit_application,
            **self.edit_commands.callbacks,
            **self.font_keys.callbacks,
            "take_back": self.taking_back.take_back,
            "withdraw_record": lambda: self.changes.withdraw(),
            "move_record": lambda: self.changes.move(),
            "move_check": lambda: self.changes.move_check(),
            "correct_many": self.correct_many,
            "show_withdrawn": lambda: self.histories.show_withdrawn(),
            "show_waiting": self.waiting_records.show,
            "show_messages": self._show_messages,
            "show_deliveries": self.show_deliveries,
            "show_remote_files": self._show_remote_files,
            "check_connections": self._check_connections,
            "show_administration": self._show_administration,
            "show_form": self._go_to_form,
            "show_record_list": self._go_to_list,
            "previous_record": lambda: self.navigation.move(-1),
            "next_record": lambda: self.navigation.move(1),
            "ask_plot": self.navigation.ask_plot,
            "show_plots": self._go_to_plots,
            "next_missing": self.navigation.next_missing,
            "show_history": lambda: self.histories.show(),
            "show_questions": self.questions.show,
            "mark_value": self.questions.mark,
            "show_handover": self.handover.show,
            "write_note": self.handover.write,
            "show_shift_messages": lambda: self.shift_messages.show(),
            "show_alarms": lambda: self.alarm_list.show(),
            "show_notices": lambda: self.notices.show(),
            "show_typed_ahead": self._go_to_typed_ahead,
            "show_today": lambda: self.today.show(),
            "show_charts": self._show_charts,
            "refresh": self.refresh,
            "help_for_field": lambda: self.field_help.toggle(self.form.focused),
            "show_keys": self._show_keys,
            "about": self._show_about,
            "show_settings_file": lambda: self.preferences.show_file(self.status.set),
        }
        command, guarded = self.messages.command, self.permissions.guarded
        commands = {name: command(guarded(name, callback)) for name, callback in callbacks.items()}
        return {
            **commands,
            **{name: partial(self.record_list.at_row, commands[name]) for name in _OF_A_ROW},
            "update_weather_data": self.update_weather_data,
            **{f"upload_to_corporate_{kind}": partial(self.upload, kind) for kind in KINDS},
            "upload_to_corporate_rest": self.upload_to_corporate_rest,  # scripts know these as methods
            "upload_to_corporate_ftp": self.upload_to_corporate_ftp,
        }

    def _go_to_extracts(self) -> None:
        if self.status_bar.extracts.days:
            self.status_bar.extracts.focus_set()
        else:
            self.extract_days.look_soon()
            self.status.set("None of the last days has records")

    def _go_to_form(self) -> None:
        (key, field), self._left = self._left, (None, None)
        self.show_form()
        self.form.focus_left(field if key == self.form.key else None)

    def _go_to_list(self) -> None:
        if (field := self.form.focused) is not None:
            self._left = self.form.key, field
        self.show_record_list()

    def _go_to_typed_ahead(self) -> None:
        self.show_form()
        if not self.form.type_ahead.go_to_line():
            self.status.set("Nothing that was typed ahead waits to be placed")

    def _go_to_plots(self) -> None:
        self.show_form()
        if not self.form.focus_strip():
            self.status.set("Choose date, time and lab first: then the plots of the check are there")

    def _show_messages(self) -> None:
        if not self.status_bar.messages.toggle():
            self.status.set("There are no messages")

    # Commands that are seldom used are imported when first used, so that they don't slow the start.

    def _check_connections(self) -> None:
        from .connections_check import show_connections

        show_connections(
            self, self.jobs, self.messages, self.own_settings, self.connection, self.deliveries.logins
        )

    def _show_remote_files(self) -> None:
        from .remote_files import show_remote_files

        show_remote_files(
            self, self.jobs, self.messages, self.own_settings, self.deliveries.logins, self.shared
        )

    def _show_administration(self) -> None:
        from .administration import show_administration

        show_administration(self, self.shared.model, self.jobs, self.status.set, self.show_choices)

    def _show_charts(self) -> None:
        from .charts import ChartPlace, show_charts

        lab = str(self.form.inputs.value(F.LAB) or "")
        place = ChartPlace(lab, DateReader(self.shared.today, month_first), self.navigation.open_recorded)
        show_charts(self, self.shared, self.jobs, self.connection, self.messages, place)

    def _show_keys(self) -> None:
        from .about import show_keys

        show_keys(self, self.messages)

    def _show_about(self) -> None:
        from .about import show_about

        is_own = self.own_settings.is_own_database
        show_about(self, self.jobs, self.messages, self.status.set, self.shared.model, is_own)

    # -- the start ----------------------------------------------------------------------------------------

    def _begin_work(self) -> None:
        self.make_parts()
        others = [each for each in self.settings_model.problems if each not in self.settings_model.doubts]
        if others:
            self.messages.warning("Settings", "Some settings couldn't be used.", "\n".join(others))
        self.fill_menu()
        self.which_database.look()
        self.preferences.ask_desktop()
        self.load_ahead_timer = self.after(LOAD_AHEAD_MS, self._after_the_start)

    def _after_the_start(self) -> None:
        # The rest waits for it: beside a thread that imports, each call into Tk takes longer.
        self.tools.load_ahead(self._loaded)

    def _loaded(self) -> None:
        self.desktop_entry.offer()
        self.shift_messages.heard()
        self.alarm_list.begin()
        if self.own_settings.values()["notices_url"]:
            self.notices.heard()
        self.answers.look()

    # -- the end ----------------------------------------------------------------------------------------

    def _quit_unless_unsent(self) -> None:
        from ..views import Dialog
        from ..views.conflict import ConflictDialog
        from ..views.dialogs import TypingDialog

        for each in self.winfo_children():
            if isinstance(each, ConflictDialog) and each.saving:
                self.status.set("A record is just being saved. Quit once the dialog says whether it is")
                return
            if isinstance(each, TypingDialog):
                each.put_away()  # what is typed there is asked about here
            elif isinstance(each, Dialog) and each.title() == _QUIT:
                each.lift()
                return
        unsent, left = self.drafts.unsent, self.drafts.unsent.left
        if unsent.is_sending:
            self._quit_once_sent()
        elif self.drafts.not_kept:
            lose = partial(self._quit_unless_running, self.end)
            buttons = ("Quit and Lose It", lose), ("Cancel", None)
            lines = [self.drafts.not_kept, unsent.told(left)[1]]
            what = "What you typed can't be kept on the disk at the moment."
            self.messages.choice(_QUIT, what, "\n\n".join(lines).strip(), buttons, careful=True)
        elif left:
            discard = partial(self._quit_unless_running, partial(self._discard_and_end, left))
            self.messages.choice(
                _QUIT,
                *unsent.told(left),
                (
                    ("Quit and Keep It", partial(self._quit_unless_running, self.end)),
                    ("Quit and Discard It", discard),
                    ("Cancel", None),
                ),
            )
        else:
            self._quit_unless_running(self.end)

    def _quit_once_sent(self) -> None:
        """Wait, because what is sent would be a draft too; ask somebody who doesn't want to."""
        unsent = self.drafts.unsent

        def stay() -> None:
            unsent.after_sending = None

        if unsent.after_sending is not None:
            self.messages.choice(
                _QUIT,
                "The database hasn't answered yet whether it has what you sent.",
                "It is kept here: after the next start, look whether it is there before you send it again.",
                (("Quit", partial(self._quit_unless_running, self.end)), ("Cancel", stay)),
                careful=True,
            )
        self.status.set("The window closes once the database has what you sent")
        unsent.after_sending = partial(self.after_idle, self.messages.command(self._quit_unless_unsent))

    def _discard_and_end(self, these: Sequence[NotSent]) -> None:
        self.drafts.unsent.discard(these)
        self.end()

    def _quit_unless_running(self, end: Callable[[], object]) -> None:
        running = self.commands.running
        if running:
            self.messages.choice(
                _QUIT,
                f"{' and '.join(running)} still running.",
                "What isn't finished isn't sent. At a server that can neither rename nor delete, half a file may stay"
                " behind.",
                (("Keep Running", None), ("Cancel Them and Quit", end), ("Cancel", None)),
            )
        elif self.waiting_records.entries:
            from .outage import counted

            count = len(self.waiting_records.entries)
            self.messages.choice(
                _QUIT,
                f"{counted(count)} of this computer {'is' if count == 1 else 'are'} not in the database yet.",
                f"{'It is' if count == 1 else 'They are'} kept here, and saved with the next start.",
                (("Quit", end), ("Cancel", None)),
            )
        else:
            end()

    def end(self) -> None:
        """Close the window; what is half typed is kept, and work in the database is finished."""
        if self.load_ahead_timer:
            self.after_cancel(self.load_ahead_timer)
        self.new_day.end()
        self.backups.end()
        self.weather_schedule.end()
        self.delivery_schedule.end()
        self.reconnecting.end()
        self.idle_connections.end()
        self.connection.end()
        self.waiting_records.end()
        self.known_copy.end()
        self.following.end()
        self.browsing.end()
        self.extract_days.end()
        self.today.end()
        self.presence.leave()
        if "shift_messages" in self.__dict__:
            self.shift_messages.end()
        if "alarm_list" in self.__dict__:
            self.alarm_list.end()
        if "notices" in self.__dict__:
            self.notices.end()
        if "answers" in self.__dict__:
            self.answers.end()
        self.remember_size()
        self.drafts.keep()
        self.withdraw()
        self.drafts.end()
        self.jobs.submit("database", self.following.close)
        self.jobs.submit("database", self.connection.close)
        self.jobs.close()
        self.destroy()
