"""What the lists beside the form share (questions, notes, messages): rows are fetched, listed and changed."""

from __future__ import annotations

import datetime
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from ..views.side_window import brought_up
from .messages import reason_of
from .unsent import NOTHING, DialogKey, Texts, Unsent

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Job
    from ..models import SQLModel
    from ..models.undoing import By
    from ..views.action_list import ActionList
    from ..views.dialogs import TypingDialog
    from .connection import Connection
    from .messages import Messages, ShowStatus
    from .state import State

log = logging.getLogger(__name__)

_AWAY = "The database is away."
_UNKNOWN = "It isn't known whether it was done"
_NOBODY = "The window doesn't know who you are yet: go to a new record (File ‣ New Record), and choose your name there."
_IF_YOU = ". If that is you, choose the name in a new record first"
_KEPT = "What you typed is kept: Try Again opens it."


class WindowContext(NamedTuple):
    """What lists and dialogs need of their window. ``by()``: the person at it; ``means_away(error)``: whether the
    database is away; ``unsent``: what was typed into its dialogs."""

    window: tk.Misc
    state: State
    connection: Connection
    messages: Messages
    show_status: ShowStatus
    by: Callable[[], By]
    means_away: Callable[[BaseException], bool]
    unsent: Unsent


def _is_somebody(state: State) -> bool:
    """Return whether it is known who is at the window, by a confirmed name or a login."""
    return bool(state.username or (state.technician and state.technician.name))


class Sending:
    """Opens dialogs, changes the database by what somebody typed there, and keeps the text until the database has it.
    On the Tk thread. ``show_result(words)`` shows how it went, and ``look()`` looks up what there is now.
    ``words_of(typed)``: the part of the texts by which a person recognizes them."""

    def __init__(
        self,
        context: WindowContext,
        show_result: Callable[[str], object],
        look: Callable[[], object],
        words_of: Callable[[tuple[str, ...]], str] = lambda typed: typed[-1],
    ) -> None:
        self._context, self._show_result, self._look, self._words_of = context, show_result, look, words_of
        self.nothing = "Nothing was changed"
        """The message if the database didn't store it."""

    def open(
        self,
        dialog_key: DialogKey,
        message: str,
        make: Callable[[tuple[str, ...]], TypingDialog],
        texts: int = 1,
        as_texts: Callable[..., tuple[str, ...]] = lambda *typed: typed,
        detail: str = "",
    ) -> None:
        """Open the dialog that ``make(typed)`` creates, with what was typed there before and isn't in the database yet.
        ``texts``: how many texts the dialog has; another number, as of an older version, is ignored.
        ``as_texts(*typed)`` turns what the dialog has into texts."""
        kept = self._context.unsent
        if kept.is_under_way(kept.key(dialog_key)):  # a second text would take the place of one that may be refused
            self._show_result(f"{dialog_key[0]}: under way…")
            return

        def texts_of(typed: tuple[object, ...]) -> Texts:
            found = as_texts(*typed) if typed else ()
            return Texts(found, self._words_of(found)) if found else NOTHING

        def made() -> TypingDialog:
            key = kept.key(dialog_key)
            before, others = kept.get(key), kept.others(key)
            if others and not before:
                advice = "" if _is_somebody(self._context.state) else _IF_YOU
                self._show_result(f"What {others[0]} typed in {key.title} is kept for {others[0]}{advice}")
            dialog = make(before if len(before) == texts else ())

            def keep(*typed: object) -> None:
                kept.keep(key, texts_of(typed))
                if typed:
                    self._show_result(f"What you typed is kept: {key.title} has it when you open it again")

            dialog.half_typed = lambda *typed: kept.half_typed(key, texts_of(typed))
            dialog.keep = keep
            dialog.body.bind("<Destroy>", lambda _event: kept.half_typed(key, None))
            return dialog

        self._context.messages.open(dialog_key[0], message, detail, "Open…", made, lambda: None)

    def keep(self, dialog_key: DialogKey, *typed: str) -> None:
        """Keep what was typed until the database has it."""
        kept = self._context.unsent
        kept.keep(kept.key(dialog_key), Texts(typed, self._words_of(typed)))

    def change(
        self,
        dialog_key: DialogKey,
        change: Callable[[SQLModel, By], object],
        words: str,
        again: Callable[[], object] | None,
        beside: Callable[[BaseException], bool] = lambda error: False,
    ) -> None:
        """Do as `ask` does, then show ``words``, or if empty, the database's answer."""

        def done(result: object) -> None:
            self._show_result(words or str(result))
            self._look()

        self.ask(dialog_key, change, done, again, beside)

    def ask(
        self,
        dialog_key: DialogKey,
        change: Callable[[SQLModel, By], Any],
        done: Callable[[Any], object],
        again: Callable[[], object] | None,
        beside: Callable[[BaseException], bool] = lambda error: False,
    ) -> Job | None:
        """Change the database, then call ``done(result)``. What was typed is kept under ``dialog_key`` until the
        database has it. ``again()`` opens the dialog once more; None: nothing was typed. ``beside(error)`` shows a
        refusal where it belongs, such as beside a field, and returns whether it could. Returns the job, if any."""
        from ..models.errors import OutcomeUnknown, PrivilegeMissing

        by, title, kept = self._context.by(), dialog_key[0], self._context.unsent
        key = kept.key(dialog_key)

        def answered(result: Any) -> None:
            kept.sent(key, taken=True)
            done(result)

        def refused(reason: str, result: str = self.nothing, advice: str = "") -> None:
            is_kept = again is not None
            self._show_result(result + ("; what you typed is kept" if is_kept else ""))
            parts = reason.removesuffix(f" {result}."), advice, _KEPT if is_kept else ""  # the message has the result
            self._context.messages.failure(title, f"{result}.", "\n\n".join(filter(None, parts)), again)

        def failed(error: BaseException) -> None:
            kept.sent(key, taken=False)
            log.warning("%s: %s", title, type(error).__name__)
            self._look()
            is_away = self._context.means_away(error)
            self._show_result(self.nothing + "; what you typed is kept")
            if not beside(error):
                result = _UNKNOWN if isinstance(error, OutcomeUnknown) else self.nothing
                may_not = isinstance(error, PrivilegeMissing)
                advice = _NOBODY if may_not and not _is_somebody(self._context.state) else ""
                refused(_AWAY if is_away else reason_of(error), result, advice)

        if self._context.state.reachable is not None:
            kept.send(key)
            self._show_result(f"{title}: under way…")
            return self._context.connection.ask(lambda model: change(model, by), answered, failed, "database")
        if not beside(ConnectionError(_AWAY)):
            refused(_AWAY)
        return None


Item = TypeVar("Item")
Window = TypeVar("Window", bound="ActionList")


class SideList(ABC, Generic[Item, Window]):
    """Knows what there is, as of the last look; looks again when told that some changed. On the Tk thread.

    ``subject`` names the items in the log and in messages.
    """

    subject: str
    away: str
    """The message about what can't be done while the database is away."""
    unknown: str
    """What the window says where nothing was known before that."""

    def __init__(self, context: WindowContext) -> None:
        self._window, self._state, self._connection, self._messages, self._show_status = context[:5]
        self._who_asks, self._means_away = context.by, context.means_away
        self._known: Sequence[Item] | None = None
        self._known_at = ""
        self._looking = self._again = False
        self._listed: dict[str, Item] = {}
        self._sending = Sending(context, self._show_result, self.look)

    def look(self) -> None:
        """Fetch the present items; the form and the open window show them."""
        if self._looking:
            self._again = True
        elif self._state.reachable is not None:
            self._looking, self._again = True, False
            self._connection.ask(self._fetch, self._found, self._not_found)

    def show(self) -> Window:
        """Open the window, or bring it to the front."""
        shown = brought_up(self._window, self._window_class())
        if shown is None:
            return self._new_window()
        shown.tree.focus_set()
        return shown

    # -- for subclasses -----------------------------------------------------------------------------------

    @abstractmethod
    def _window_class(self) -> type[Window]:
        """Return the class of the window; imported when first needed."""

    @abstractmethod
    def _new_window(self) -> Window:
        """Open a window."""

    @abstractmethod
    def _fetch(self, model: SQLModel) -> Sequence[Item]:
        """Fetch the items; on a worker thread."""

    @abstractmethod
    def _know(self, found: Sequence[Item], before: Sequence[Item] | None) -> None:
        """Show in the form what was found; ``before``: the items known until then, None at first."""

    @abstractmethod
    def _show_rows(self, items: Sequence[Item], remark: str = "") -> None:
        """Show these in the window."""

    def _of_known(self, known: Sequence[Item], everything: bool) -> Sequence[Item]:
        """Return those of the known items that the window lists while the database is away."""
        return known

    # -- what was found -----------------------------------------------------------------------------------

    def _found(self, found: Sequence[Item]) -> None:
        before = self._known
        self._looking, self._known = False, found
        self._known_at = f"{datetime.datetime.now():%H:%M}"
        self._know(found, before)
        shown = self._shown()
        if shown is not None:
            shown.refresh()
        if self._again:
            self.look()

    def _not_found(self, error: BaseException) -> None:
        self._looking = False
        log.warning("%s couldn't be looked up", self.subject, exc_info=error)

    def _shown(self) -> Window | None:
        kind = self._window_class()
        return next((each for each in self._window.winfo_children() if isinstance(each, kind)), None)

    def _look_up(
        self, fetch: Callable[[SQLModel], Sequence[Item]], show: Callable[[Sequence[Item]], object], everything: bool
    ) -> None:
        """Call ``show`` with what ``fetch`` finds; while the database is away, list the known items."""
        if self._state.reachable is None:
            self._list_known(everything)
            return

        def failed(error: BaseException) -> None:
            log.warning("%s couldn't be looked up", self.subject, exc_info=error)
            shown = self._shown()
            if self._means_away(error):
                self._list_known(everything)
            elif shown is not None:
                what = self.subject[0].upper() + self.subject[1:]
                shown.show_problem(f"{what} couldn't be looked up.\n{reason_of(error)}\n\nF5 tries again.")

        self._connection.ask(fetch, show, failed)

    def _look_up_all(self, everything: bool) -> None:
        """Fetch the items for the form too, and list them."""

        def fetched(found: Sequence[Item]) -> None:
            self._known = found
            self._know(found, None)
            if self._known is not None:  # else it was for somebody who isn't here any more
                self._show_rows(found)

        self._look_up(self._fetch, fetched, everything)

    def _list_known(self, everything: bool) -> None:
        shown = self._shown()
        if shown is None:
            return
        if self._known is None:
            shown.show_problem(self.unknown)
        else:
            self._show_rows(self._of_known(self._known, everything), f"{self.away} This was known at {self._known_at}.")

    # -- what is done about them ----------------------------------------------------------------------------

    def _may_begin(self, what: str) -> bool:
        """Return whether the database is there; if not, say that ``what`` can be done when it is back."""
        if self._state.reachable is None:
            self._show_result(f"{what} when the database is back")
        return self._state.reachable is not None

    def _show_result(self, text: str) -> None:
        self._show_status(text)
        shown = self._shown()
        if shown is not None:
            shown.show_status(text)
