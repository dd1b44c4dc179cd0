"""Opens the window of remote files, and runs its commands on a separate thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..network.destinations import destination
from ..views.remote_files import (
    DELETE,
    FETCH,
    NEW_FOLDER,
    OPEN,
    PUT,
    RENAME,
    UP,
    WHAT_IS_THERE,
    FileLine,
    FilesCallbacks,
    NameDialog,
    RemoteFilesWindow,
)
from ..views.side_window import brought_up
from ..workflows import remote_files as work
from .host_key import ask_for_trust
from .messages import reason_of

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Job, Jobs
    from ..models import SQLModel
    from ..network.remote_files import FetchedFile, RemoteFiles
    from ..network.remote_files_names import Listing, RemoteEntry
    from .logins import Logins
    from .messages import Messages
    from .preferences import Settings
    from .state import State

_WORKER = "remote files"
_TITLE = "Remote Files"
_THERE = "It is there already."
_MAY_BE_THERE = "It may be there already: not all of the folder is listed."


def show_remote_files(
    parent: tk.Tk, jobs: Jobs, messages: Messages, settings: Settings, logins: Logins, state: State
) -> RemoteFilesWindow:
    """Show the window, or bring the open one to the front."""
    shown = brought_up(parent, RemoteFilesWindow)
    if shown is not None:
        shown.tree.focus_set()
        return shown
    return RemoteFilesView(parent, jobs, messages, settings, logins, state).window


def compare_there(
    parent: tk.Tk, jobs: Jobs, messages: Messages, settings: Settings, logins: Logins, state: State, kind: str
) -> str:
    """Show the window with the folder of a destination, compared with what was sent there.

    Returns why that can't be, empty if it can.
    """
    if kind not in work.with_files(settings.values()):
        return f"{destination(kind).name} isn't set up here any more, so its folder can't be looked into"
    shown = brought_up(parent, RemoteFilesWindow)
    if shown is None:
        RemoteFilesView(parent, jobs, messages, settings, logins, state, kind)
        return ""
    return shown.compare(kind)


class RemoteFilesView:
    """One window. All its commands run on one worker, one after the other, because they share one session."""

    def __init__(
        self,
        parent: tk.Tk,
        jobs: Jobs,
        messages: Messages,
        settings: Settings,
        logins: Logins,
        state: State,
        compared: str = "",
    ) -> None:
        """``compared``: the destination to show first, compared with what was sent."""
        self._parent, self._jobs, self._messages, self._settings = parent, jobs, messages, settings
        self._logins, self._state = logins, state
        self._values: dict[str, object] = {}
        self._files: RemoteFiles[Any] | None = None
        self._where: work.Where = ()
        self._listing: Listing | None = None
        self._states: dict[str, str] = {}
        self._job: Job | None = None
        self._turn = 0  # counts choices of a destination: an answer for an earlier one is dropped
        named = work.with_files(settings.values())
        self._kind = compared or next(iter(named))
        self._compares = False  # whether to compare once the login is done
        command = messages.command
        choose = command(self._choose)
        self.window = RemoteFilesWindow(
            parent, named, self._kind, FilesCallbacks(choose, command(self._act), self._cancel)
        )
        self.window.bind("<Destroy>", self._closed, add=True)
        parent.after_idle(lambda: choose(self._kind, bool(compared)))

    # -- the destination --------------------------------------------------------------------------------

    def _choose(self, kind: str, compares: bool = False) -> None:
        self._stop()
        self._compares = compares
        self._turn += 1
        turn = self._turn
        self._kind, self._where, self._listing, self._states = kind, (), None, {}
        self._values = {**self._settings.values()}
        to = destination(kind)
        self.window.show_lines(to.address(self._values), (), "Logging in…")
        if problem := to.problem(self._values):
            self.window.show_status(problem)
            return
        if to.username(self._values) == work.ANONYMOUS[0]:
            self._log_in(turn, work.ANONYMOUS)
        else:
            self._logins.obtain(kind, self._values, "", lambda login: self._log_in(turn, login))

    def _log_in(self, turn: int, login: tuple[str, str] | None) -> None:
        if turn != self._turn:
            return
        if login is None:
            self.window.show_status("Nobody is logged in. F5 asks again.")
            return
        kind, values = self._kind, self._values

        def look(job: Job) -> tuple[RemoteFiles[Any], Listing]:
            files = destination(kind).remote_files(values, *login)
            return files, files.list((), job.cancel)

        def shown(found: tuple[RemoteFiles[Any], Listing]) -> None:
            self._files, self._listing = found
            self._logins.accepted(kind, values, login)
            self._show()
            if self._compares:
                self._compares = False
                self._compare(self._files)

        self._run(
            "Looking into the folder…", look, shown, lambda found: self._jobs.submit(_WORKER, found[0].close),
            lambda error: self._ask_for_trust(error, turn, login),
        )  # fmt: skip

    def _ask_for_trust(self, error: BaseException, turn: int, login: tuple[str, str]) -> None:
        """Ask about the key of an unknown server, and look again once it is confirmed."""
        from ..outbox import unknown_host_key

        fingerprint = unknown_host_key(error)
        trust = destination(self._kind).trust(self._values, fingerprint) if fingerprint else None
        if trust is None:
            return

        def trusted() -> None:
            if turn == self._turn and not self.window.running:
                self._values = {**trust.settings}
                self._log_in(turn, login)

        ask_for_trust(self._messages, trust.host, fingerprint, "your password", ("Trust", trusted), lambda: None)

    # -- what runs --------------------------------------------------------------------------------------

    def _run(
        self, said: str, function: Callable[[Job], Any], done: Callable[[Any], object],
        dropped: Callable[[Any], object] = lambda _result: None,
        also: Callable[[BaseException], object] = lambda _error: None,
    ) -> None:
        """Run a command in the background, and show that it runs. `done` gets its result, `dropped` a result that is no
        longer wanted; `also` gets an error after it was shown."""
        self.window.set_running(True)
        self.window.show_status(said)

        def is_over() -> bool:
            """Note that the command has ended; return whether it was abandoned: another destination is shown now."""
            if self._job is not job:
                return True
            self._job = None
            self.window.set_running(False)
            return False

        def ended(result: Any) -> None:
            (dropped if is_over() else done)(result)

        def failed(error: BaseException) -> None:
            """Show the error. A refused login is forgotten, and the next command asks for another one."""
            if is_over():
                return
            if getattr(error, "login_refused", False):
                self._logins.refused(self._kind, self._values, reason_of(error))
                self._files = None
            self.window.show_status(" ".join(reason_of(error).split()))
            also(error)

        def progress(done_so_far: int, total: int) -> None:
            if self._job is job:
                how_far = f"{done_so_far * 100 // total} %" if total else f"{done_so_far:,} bytes"
                self.window.show_status(f"{said} {how_far}")

        self._job = job = self._jobs.submit(
            _WORKER, function, name=_TITLE, done=ended, failed=failed, progress=progress, with_job=True, tidies=True
        )

    def _may_begin(self, files: RemoteFiles[Any]) -> bool:
        """Return whether the command can still be done; an answer in the message bar may come much later."""
        if files is not self._files:
            self.window.show_status("Nothing was done: the destination was left meanwhile.")
        elif self.window.running:
            self.window.show_status("Nothing was done: something else is under way. Esc cancels it.")
        else:
            return True
        return False

    def _cancel(self) -> None:
        if self._job is not None:
            self._job.cancel.set()

    def _closed(self, event: tk.Event) -> None:
        if event.widget is self.window:
            self._turn += 1
            self._stop()

    def _stop(self) -> None:
        """Cancel what is running, and close the session."""
        self._cancel()
        if self._job is not None:
            self._job = None
            self.window.set_running(False)
        files, self._files = self._files, None
        if files is not None:
            self._jobs.submit(_WORKER, files.close)

    # -- what is shown ----------------------------------------------------------------------------------

    def _go(self, where: work.Where, said: str = "", states: dict[str, str] | None = None) -> None:
        files = self._files
        if files is None:
            self._choose(self._kind)
            return

        def shown(found: Listing) -> None:
            self._where, self._listing, self._states = where, found, states or {}
            self._show(said)

        self._run("Looking into the folder…", lambda job: files.list(where, job.cancel), shown)

    def _show(self, said: str = "") -> None:
        listing = self._listing
        assert listing is not None
        place = work.place_in_words(self._kind, self._values, self._where)
        rights = f"This folder: {listing.rights}." if listing.rights else ""
        empty = "" if listing.entries else "The folder is empty."
        told = " ".join(filter(None, (said, empty, listing.remark, "" if said else rights)))
        self.window.show_lines(place, [self._line(each) for each in listing.entries], told)

    def _line(self, entry: RemoteEntry) -> FileLine:
        size = "" if entry.size is None else f"{entry.size:,}"
        state = self._states.get(entry.name, "")
        detail = f"{entry.shown}: {entry.rights}." if entry.rights else ""
        cells = (entry.shown, entry.kind, size, entry.when, entry.rights or "not told", state)
        return FileLine(repr(entry.name), cells, detail, entry.kind == "folder")

    # -- what is asked ----------------------------------------------------------------------------------

    def _act(self, name: str, identifier: str) -> None:
        files, listing, where = self._files, self._listing, self._where
        if name == "Refresh" or files is None or listing is None:
            self._go(self._where)
            return
        entry = next((each for each in listing.entries if repr(each.name) == identifier), None)
        if name == UP:
            if self._where:
                self._go(self._where[:-1])
            else:
                self.window.show_status("Nothing above the folder of the destination is shown.")
        elif name == PUT:
            self._put(files)
        elif name == NEW_FOLDER:
            self._ask_name("New Folder", "What is the new folder called?", "Make", "", lambda each: self._change(
                files, where, f"The folder {each} is made.", lambda job: files.make_folder(where, each, job.cancel)
            ))  # fmt: skip
        elif name == WHAT_IS_THERE:
            self._compare(files)
        elif entry is not None:
            self._act_on(files, name, entry)

    def _act_on(self, files: RemoteFiles[Any], name: str, entry: RemoteEntry) -> None:
        where = self._where  # kept, because another folder may be shown when the answer comes
        if name == OPEN:
            self._go((*where, entry.name))
        elif name == FETCH:
            self._fetch(files, entry)
        elif name == RENAME:
            self._ask_name("Rename", f"What is {entry.shown} to be called?", "Rename", entry.shown,
                           lambda each: self._change(
                files, where, f"{entry.shown} is called {each} now.",
                lambda job: files.rename(where, entry, each, job.cancel),
            ))  # fmt: skip
        elif name == DELETE:
            is_folder = entry.kind == "folder"
            remove = files.remove_folder if is_folder else files.remove
            self._messages.choice(
                f"Delete {entry.shown}", f"Delete {'the folder ' * is_folder}{entry.shown}?",
                f"In {work.place_in_words(self._kind, self._values, where)}. That can't be undone.",
                (("Delete", lambda: self._change(
                    files, where, f"{entry.shown} is deleted.", lambda job: remove(where, entry, job.cancel))),
                 ("Cancel", None)),
                careful=True,
            )  # fmt: skip

    def _change(
        self, files: RemoteFiles[Any], where: work.Where, said: str, function: Callable[[Job], object]
    ) -> None:
        if self._may_begin(files):
            self._run("At work…", function, lambda _result: self._go(where, said))

    def _ask_name(self, title: str, message: str, button: str, name: str, act: Callable[[str], object]) -> None:
        self._messages.open(
            title, message, "", "Open…",
            lambda: NameDialog(self.window, title, message, button, name, act),
            lambda: None,
        )  # fmt: skip

    def _fetch(self, files: RemoteFiles[Any], entry: RemoteEntry) -> None:
        from tkinter import filedialog  # not at every start

        name, where = work.default_target(Path(), entry).name, self._where
        place = self._messages.ask_file(
            lambda: filedialog.asksaveasfilename(parent=self.window, title=f"Fetch {entry.shown}", initialfile=name)
        )
        if place:  # the file dialog has already asked whether to replace an existing file
            self.fetch(files, where, entry, Path(place))

    def fetch(self, files: RemoteFiles[Any], where: work.Where, entry: RemoteEntry, target: Path) -> None:
        """Fetch a file to this path, and offer to take it in where it is a list."""
        if not self._may_begin(files):
            return

        def get(job: Job) -> tuple[FetchedFile, Any, str]:
            from ..workflows.import_lists import list_in

            got = files.get(where, entry, target, replace=True, progress=job.report, cancel=job.cancel)
            try:
                return got, list_in(got.path), ""
            except ValueError as error:
                return got, None, str(error)

        def done(result: tuple[FetchedFile, Any, str]) -> None:
            got, found, problem = result
            how = f", compared by {got.verified}" if got.verified else ""
            self.window.show_status(f"Fetched to {got.path}: {got.size:,} bytes{how}. {problem}")
            model = self._state.model
            if found is not None and model is not None:
                self._messages.choice(
                    f"Import {entry.shown}", f"Import {found.what} from {entry.shown}?",
                    "All of them are imported, or none. What is there already stays as it is.",
                    (("Import", lambda: self._take_in(model, found)), ("Not Now", None)), careful=True,
                )  # fmt: skip

        self._run(f"Fetching {entry.shown}…", get, done)

    def _take_in(self, model: SQLModel, found: Any) -> None:
        from ..workflows.import_lists import import_list

        def show_result(text: str) -> None:
            self._messages.show_in(self.window, f"Import {found.what}", text)

        self._jobs.submit(
            "database", import_list, model, found, done=show_result, failed=lambda error: show_result(reason_of(error))
        )

    def _put(self, files: RemoteFiles[Any]) -> None:
        from tkinter import filedialog  # not at every start

        where, listing = self._where, self._listing
        place = self._messages.ask_file(
            lambda: filedialog.askopenfilename(parent=self.window, title="Put a File There")
        )
        if place:
            path = Path(place)
            there = listing is not None and listing.find(path.name) is not None
            cut = listing is not None and not listing.complete
            self.put(files, where, path, _THERE if there else _MAY_BE_THERE if cut else "")

    def put(
        self, files: RemoteFiles[Any], where: work.Where, path: Path, is_there: str, replace: bool = False
    ) -> None:
        """Put a file into the folder. `is_there`: the remark with which to ask first, because a file of its name is, or
        may be, there; empty if none is."""
        if not self._may_begin(files):
            return
        if is_there and not replace:
            self._messages.choice(
                f"Replace {path.name}", f"Replace {path.name}?", f"{is_there} That can't be undone.",
                (("Replace", lambda: self.put(files, where, path, is_there, True)), ("Cancel", None)), careful=True,
            )  # fmt: skip
            return
        self._run(
            f"Putting {path.name} there…",
            lambda job: files.put(where, path, replace=replace, progress=job.report, cancel=job.cancel),
            lambda name: self._go(where, f"{name} is there."),
        )

    def _compare(self, files: RemoteFiles[Any]) -> None:
        kind, address = self._kind, destination(self._kind).address(self._values)

        def look(job: Job) -> tuple[Listing, list[work.Compared]]:
            from ..workflows.deliver_day import open_outbox

            ours = work.sent(open_outbox().deliveries(), kind, address)
            listing = files.list((), job.cancel)
            return listing, work.compare(files, listing, ours, job.cancel, job.report)

        def shown(result: tuple[Listing, list[work.Compared]]) -> None:
            self._listing, found = result
            self._where, self._states = (), {each.name: each.state for each in found}
            gone = ", ".join(each.name for each in found if each.state == work.MISSING)
            self._show(f"{work.counts(found)}.{f' Missing: {gone}.' if gone else ''}")

        self._run("Comparing with what was sent…", look, shown)
