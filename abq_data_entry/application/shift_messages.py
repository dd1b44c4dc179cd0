"""Messages from colleagues at other workstations: the line in the message bar, the list, the dialog that writes one."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..constants import FieldNames as F
from ..counting import counted, one_line
from ..models.notices import LONGEST, MOST_SHOWN, TO_ALL, Addressee, AddresseeUnknown
from ..widgets.status_bar import Message
from .side_list import SideList, WindowContext
from .state import State

if TYPE_CHECKING:

    from ..models import SQLModel
    from ..models.notices import Inbox, ShiftMessage
    from ..models.undoing import By
    from ..views import DataRecordForm
    from ..views.action_list import ActionRow
    from ..views.shift_messages import MessagesWindow

KEY = "messages from colleagues"
"""The subject of the line in the message bar."""
PAUSE_MS = 1000  # between two queries, so that many messages at once cause one
_TITLE = "Write Message"
_NOT_SENT = "The message wasn't sent"


class Asker(NamedTuple):
    """For whom messages are fetched: the person and the lab."""

    by: By
    lab: str | None


class Taken(NamedTuple):
    """What the database answered: for whom, which messages were marked as read by then, and all messages."""

    asker: Asker
    opened: tuple[str, ...]
    inbox: Inbox


class ColleagueMessages(SideList["Taken", "MessagesWindow"]):
    """The messages to the person at the window, as of the last look. It looks again when a message may have come, when
    another person or lab is in the form, and when the database or the login's privileges have come back."""

    subject = "the messages"
    away = "The database is away: messages come, and can be sent, when it is back."
    unknown = "The messages aren't known while the database is away. F5 tries again."

    def __init__(self, context: WindowContext, form: DataRecordForm, may_take: Callable[[], bool]) -> None:
        super().__init__(context)
        self._form, self._may_take = form, may_take
        self._sending.nothing = _NOT_SENT
        self._asked = self._asker()
        self._due = False
        # Read here, but not yet marked in the database. Never changed in place, because a worker thread uses it.
        self._opened: tuple[str, ...] = ()
        # Read here one by one: these stay in the list, otherwise each look would select another one.
        self._kept: tuple[str, ...] = ()
        self._shown_messages: dict[str, ShiftMessage] = {}
        self._line: tuple[object, ...] = ()
        self._read = self._messages.command(self.show)
        self._timer = ""
        context.state.follow(State.model, lambda _: self.heard())
        context.state.follow(State.away_since, lambda _: self.heard())
        context.state.follow(State.read_only, lambda _: self.heard())

    def heard(self) -> None:
        """Look again, because a message may have come, or can be fetched now."""
        self._due = True
        if not self._timer:
            self._timer = self._window.after(PAUSE_MS, self._look_if_due)

    def look_who_asks(self) -> None:
        """Look again if another person or lab is in the form."""
        asker = self._asker()
        if asker.by != self._asked.by:  # messages to somebody else aren't for the person now at the window
            self._known, self._opened, self._kept, self._shown_messages = None, (), (), {}
            self._show_unread(0, None)
        if asker != self._asked:
            self._asked = asker
            self.heard()

    def end(self) -> None:
        """Stop: the window closes."""
        if self._timer:
            self._window.after_cancel(self._timer)

    def write(self, to: Addressee | None = None, problem: str = "") -> None:
        """Open the dialog for a message. ``to``: who gets an answer; ``problem``: why that one can't get a message."""
        from ..views.shift_messages import MessageDialog

        if not self._may_begin("Messages can be sent"):
            return
        dialog_key, number, begun = (_TITLE, to), str(uuid.uuid4()), list[tuple[str, ...]]()

        def as_texts(whom: Addressee, said: str) -> tuple[str, ...]:
            texts = whom.person or "", whom.lab or "", said
            # The same text sent again counts as the same message.
            return next((each for each in begun if each[1:] == texts), (number, *texts))

        def act(whom: Addressee, said: str) -> None:
            typed = as_texts(whom, said)
            self._sending.keep(dialog_key, *typed)
            self._sending.change(
                dialog_key,
                lambda model, by: model.send_message(whom, said, number=typed[0], by=by),
                "",
                lambda: self.write(to),
                unknown,
            )

        def unknown(error: BaseException) -> bool:
            is_unknown = isinstance(error, AddresseeUnknown)
            if is_unknown:  # gone from the database while the list here still had that name
                self.write(to, str(error))
            return is_unknown

        message = "What should your colleagues know?" if to is None else f"What do you answer {to.named}?"

        def make(typed: tuple[str, ...]) -> MessageDialog:
            begun[:] = [typed] if typed else []
            first = Addressee(typed[1] or None, typed[2] or None) if typed else to or TO_ALL
            addressees = self._addressees()
            addressees.setdefault(first, _named(first))  # kept although no longer in the lists
            words = typed[-1] if typed else ""
            return MessageDialog(self._window, message, addressees, act, first, words, LONGEST, problem)

        self._sending.open(dialog_key, message, make, 4, as_texts)

    def _addressees(self) -> dict[Addressee, str]:
        """Return the addressees (all, each lab, each other technician), with their texts in the list."""
        choices = self._form.inputs.choices
        labs = [Addressee(lab=str(each)) for each in choices.get(F.LAB) or ()]
        people = [Addressee(person=each) for each in self._colleagues()]
        return {each: _named(each) for each in (TO_ALL, *labs, *people)}

    def _colleagues(self) -> list[str]:
        names = [str(each) for each in self._form.inputs.choices.get(F.TECHNICIAN) or ()]
        return [each for each in names if each != self._asked.by.author]

    # -- when it looks ------------------------------------------------------------------------------------

    def _asker(self) -> Asker:
        lab = self._form.inputs.value(F.LAB)
        return Asker(self._who_asks(), lab if isinstance(lab, str) else None)

    def _look_if_due(self) -> None:
        self._timer = ""
        self.look_who_asks()
        if self._looking and self._due:
            self.heard()
        elif self._due and self._state.reachable is not None and self._may_take():
            self._due = False
            self.look()

    # -- what was found -----------------------------------------------------------------------------------

    def _window_class(self) -> type[MessagesWindow]:
        from ..views.shift_messages import MessagesWindow

        return MessagesWindow

    def _new_window(self) -> MessagesWindow:
        from ..views.action_list import RowCallbacks
        from ..views.shift_messages import MessagesCallbacks

        command = self._messages.command
        rows = RowCallbacks(self._list, command(self._act))
        callbacks = MessagesCallbacks(rows, self._open, command(lambda: self.write()), self._read_all)
        return self._window_class()(self._window, callbacks)

    def _fetch(self, model: SQLModel) -> Sequence[Taken]:
        asker, opened = self._asked, self._opened
        return (Taken(asker, opened, model.take_messages(asker.lab, opened, kept=self._kept, by=asker.by)),)

    def _know(self, found: Sequence[Taken], before: Sequence[Taken] | None) -> None:
        (taken,) = found
        if taken.asker.by != self._asked.by:  # outdated: the next request is for the present person
            self._known = None
            return
        self._opened = tuple(each for each in self._opened if each not in taken.opened)
        self._count_unread(taken.inbox)

    def _count_unread(self, inbox: Inbox) -> None:
        unread = [each for each in inbox.messages if each.unread]
        left = [each for each in unread if each.id not in self._opened]
        self._show_unread(inbox.unread - len(unread) + len(left), left[0] if left else None)

    def _show_unread(self, count: int, newest: ShiftMessage | None) -> None:
        line = (count, newest and newest.id)
        if line == self._line:
            return
        self._line = line
        if not count:
            self._messages.settled(KEY)
            return
        text = f"{counted(count, 'message')} from {'a colleague' if count == 1 else 'colleagues'}"
        detail = f"{one_line(newest.from_whom)}: {newest.line}" if newest is not None else ""
        self._messages.bar.show_message(Message(KEY, text, detail, (("Read", self._read),), until_resolved=True))

    def _list(self, everything: bool) -> None:
        self.look_who_asks()
        self._look_up_all(everything)

    def _show_rows(self, items: Sequence[Taken], remark: str = "") -> None:
        shown = self._shown()
        if shown is None:
            return
        inbox = items[0].inbox
        everything = bool(shown.everything.get())
        listed = [each for each in inbox.messages if everything or not self._is_own(each)]
        listed.sort(key=lambda each: each.sent, reverse=True)
        self._shown_messages = {each.id: each for each in listed}
        count = f"{len(listed):,} listed, {inbox.unread:,} unread" if listed else ""
        shown.show_rows([self._row(each, away=bool(remark)) for each in listed], count, remark)

    def _is_own(self, message: ShiftMessage) -> bool:
        return message.sender == self._asked.by.author != message.person

    def _row(self, message: ShiftMessage, away: bool) -> ActionRow:
        from ..views.action_list import ActionRow
        from ..views.shift_messages import ANSWER

        own = self._is_own(message)
        state = "new" if message.unread and message.id not in self._opened else "read"
        if own:
            state = "read" if message.read_by else "arrived" if message.reached else "kept"
        sent, sender = f"{message.sent.astimezone():%Y-%m-%d %H:%M}", one_line(message.from_whom)
        lines = [f"{sent} {sender}, to {message.addressee.named}:", message.line]
        if own:
            unread = [each for each in message.reached if each not in message.read_by]
            lines += [f"Read by {', '.join(message.read_by)}."] if message.read_by else []
            lines += [f"Arrived for {', '.join(unread)}, not read yet."] if unread else []
        allowed = frozenset((ANSWER,)) if not away and message.sender in self._colleagues() else frozenset[str]()
        cells = (sender, message.addressee.named, state, sent, message.line)
        return ActionRow(message.id, cells, "\n".join(lines), allowed)

    # -- what is done about them ----------------------------------------------------------------------------

    def _act(self, _button: str, identifier: str) -> None:
        message = self._shown_messages.get(identifier)
        if message is not None:
            self.write(Addressee(person=message.sender))

    def _open(self, identifier: str) -> None:
        """Mark this one as read, because the person at the window has seen it."""
        self._kept = (*self._kept, identifier)[-MOST_SHOWN:]
        self._count_as_read(identifier)

    def _count_as_read(self, *identifiers: str) -> None:
        shown = self._shown_messages
        new = tuple(each for each in identifiers if each in shown and shown[each].unread and each not in self._opened)
        if new and self._known:
            self._opened = (*self._opened, *new)
            self.heard()
            self._count_unread(self._known[0].inbox)

    def _read_all(self) -> None:
        self._kept = ()  # the next ones come
        self._count_as_read(*self._shown_messages)


def _named(to: Addressee) -> str:
    return to.named if to.person is not None else to.named[0].upper() + to.named[1:]
