"""What was typed into dialogs and isn't in the database yet: it is kept, also as a draft on the disk, until it is sent
or discarded. It is never sent by itself: the dialog shows it when it is opened again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ..counting import one_line
from ..journal import same_database
from ..mainmenu import ALARMS, FROM_COLLEAGUES, HISTORY, QUESTIONS, WITHDRAWN
from ..store.drafts import Draft

DialogKey = tuple[str, object]
"""The title of a dialog and what it is about, such as the key of a record."""

_WINDOWS = {
    "Bring Back": f"Edit ‣ {WITHDRAWN.text}",
    "Take Back": f"Go ‣ {HISTORY.text}",
    **dict.fromkeys(("Answer QA", "Close Mark", "Reopen Mark"), f"Go ‣ {QUESTIONS.text}"),
    "Write Message": f"Go ‣ {FROM_COLLEAGUES.text}",
    "End Alarm": f"Go ‣ {ALARMS.text}",
}
"""The menu commands whose windows have the buttons for these dialogs. Others are commands of the Edit menu."""


class Texts(NamedTuple):
    """The texts and choices of a dialog, and ``words``, by which people recognize them; empty if none are typed."""

    typed: tuple[str, ...]
    words: str


NOTHING = Texts((), "")
_LONGEST = 80  # characters of a text that are shown


class TypedBy(NamedTuple):
    """A dialog, and who types there: title, what the dialog is about (JSON), name of the person."""

    title: str
    about: str
    person: str


class NotSent(NamedTuple):
    """What somebody typed into a dialog and the database doesn't have."""

    key: TypedBy
    texts: Texts

    def line(self, in_full: bool) -> str:
        """Return where it is in the menu, and its words, in one short line unless they are wanted ``in_full``."""
        title, about, _person = self.key
        words = self.texts.words if in_full else one_line(self.texts.words)
        words = words if in_full or len(words) <= _LONGEST else f"{words[:_LONGEST]}…"
        return f"{_WINDOWS.get(title, f'Edit ‣ {title}').rstrip('…')}{_place(about)}: {words}"


class Unsent:
    """What was typed into the dialogs of this window. On the Tk thread.

    ``changed()`` is called when ``drafts``, which are to be written to the disk, have changed. ``names()``: what the
    person at the window is called, the confirmed name first, then the login or the account; nobody is shown what
    somebody else typed. ``database``: the name of the present database, without which the number of a mark or an alarm
    means nothing.
    """

    def __init__(self, changed: Callable[[], object], names: Callable[[], Sequence[str]]) -> None:
        self.database = ""
        self.drafts: tuple[Draft, ...] = ()
        """For each dialog: title, what it is about (JSON), person, name of the database, texts, words."""
        self.after_sending: Callable[[], object] | None = None
        """Called once the database has taken all that it is asked to take; not if it refuses any of that."""
        self._changed, self._names = changed, names
        self._kept: dict[TypedBy, Texts] = {}
        self._half_typed: dict[TypedBy, Texts] = {}
        self._under_way: dict[TypedBy, Texts] = {}
        self._found: set[TypedBy] = set()
        self._of_others: tuple[Draft, ...] = ()

    def key(self, dialog_key: DialogKey) -> TypedBy:
        """Return the key of what the person now at the window types there. What was typed there before a name was
        confirmed is theirs too."""
        title, about = dialog_key
        written = json.dumps(about, ensure_ascii=False, default=str)
        own, *others = (TypedBy(title, written, each) for each in self._names())
        for each in others:
            if own not in self._kept and each in self._kept and each not in self._under_way:
                self._kept[own] = self._kept.pop(each)
                if each in self._found:
                    self._found.add(own)
        return own

    def get(self, key: TypedBy) -> tuple[str, ...]:
        """Return the texts to begin with in that dialog; empty if there are none."""
        return self._kept.get(key, NOTHING).typed

    def others(self, key: TypedBy) -> list[str]:
        """Return the names of other people whose texts are kept for that dialog."""
        return sorted(each.person for each in self._kept if each[:2] == key[:2] and each != key)

    def keep(self, key: TypedBy, texts: Texts) -> None:
        """Keep the texts of a dialog that has closed; without words, keep none."""
        if texts.words:
            self._kept[key] = texts
        else:
            self._kept.pop(key, None)
        self._note()

    def half_typed(self, key: TypedBy, texts: Texts | None) -> None:
        """Note the texts of an open dialog, which count before those that were kept; None: it has closed."""
        if texts is None:
            self._half_typed.pop(key, None)
        else:
            self._half_typed[key] = texts
        self._note()

    def send(self, key: TypedBy) -> None:
        """Note that the database is asked to take these texts."""
        self._under_way[key] = self._kept.get(key, NOTHING)

    def sent(self, key: TypedBy, *, taken: bool) -> None:
        """Note that the database has answered; forget the texts if it has ``taken`` them."""
        texts = self._under_way.pop(key, NOTHING)
        if taken and self._kept.get(key) == texts:
            del self._kept[key]
            self._note()
        if not (taken and self._under_way):
            then, self.after_sending = self.after_sending, None
            if taken and then is not None:
                then()

    def is_under_way(self, key: TypedBy) -> bool:
        """Whether the database hasn't answered yet whether it takes these texts."""
        return key in self._under_way

    @property
    def is_sending(self) -> bool:
        """Whether the database is asked to take something and hasn't answered yet."""
        return bool(self._under_way)

    @property
    def left(self) -> list[NotSent]:
        """What the person at the window typed and the database isn't asked to take."""
        names = self._names()
        return [
            NotSent(key, each)
            for key, each in self._kept.items()
            if key.person in names and key not in self._under_way
        ]

    @property
    def found(self) -> list[NotSent]:
        """What was restored and is still kept, whoever typed it."""
        return [NotSent(key, self._kept[key]) for key in sorted(self._found & self._kept.keys())]

    def discard(self, these: Iterable[NotSent]) -> None:
        """Forget these texts, unless they have been changed or sent meanwhile."""
        for key, texts in these:
            if self._kept.get(key) == texts and key not in self._under_way:
                del self._kept[key]
        self._note()

    def restore(self, drafts: Iterable[Draft]) -> None:
        """Keep what was typed in a window that has ended. What is of another database, or of a dialog into which
        the same person has typed by now, is for a later window."""
        for each in drafts:
            key = TypedBy(each["title"], each["about"], each["person"])
            is_here = same_database(each["database"], self.database)
            if is_here and key not in self._kept and key not in self._half_typed:
                self._kept[key] = Texts(tuple(each["typed"]), each["words"])
                self._found.add(key)
            else:
                self._of_others = (*self._of_others, each)
        self._note()

    def told(self, these: Sequence[NotSent], *, in_full: bool = False) -> tuple[str, str]:
        """Return a sentence that these texts aren't sent, and a line for each; it names who typed it if that isn't the
        person at the window. With ``in_full`` the words aren't shortened."""
        titles, names = list(dict.fromkeys(each.key.title for each in these)), self._names()
        listed = " and ".join([", ".join(titles[:-1]), titles[-1]] if len(titles) > 1 else titles)
        others = [each.key.person not in names for each in these]
        lines = [
            f"{each.key.person}, " * other + each.line(in_full) for each, other in zip(these, others, strict=True)
        ]
        if any(others):
            lines.append("A dialog shows it to the person who typed it, once the name is confirmed in the form.")
        return f"What was typed in {listed} isn't sent yet.", "\n".join(lines)

    def _note(self) -> None:
        drafts = tuple(
            {**key._asdict(), "database": self.database, "typed": [*each.typed], "words": each.words}
            for key, each in {**self._kept, **self._half_typed}.items()
            if each.words
        )
        if (*drafts, *self._of_others) != self.drafts:
            self.drafts = (*drafts, *self._of_others)
            self._changed()


def _place(about: str) -> str:
    """Return the record or check that a dialog is about, in words; empty if it isn't about one."""
    value = json.loads(about)
    places = [each for each in value if isinstance(each, list)] if isinstance(value, list) else []
    place, *others = places or [value]
    if not isinstance(place, list) or len(place) not in (3, 4):
        return ""
    plot = f", plot {place[3]}" if len(place) == 4 else ""
    more = f" and {len(others)} more" if others else ""
    return f" ({place[0]} {place[1]}, lab {place[2]}{plot}{more})"
