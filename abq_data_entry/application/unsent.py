"""What was typed into dialogs and isn't in the database yet: it is kept, also as a draft on the disk, until it is sent
or discarded. It is never sent by itself: the dialog shows it when it is opened again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import NamedTuple

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


class Unsent:
    """What was typed into the dialogs of this window. On the Tk thread.

    ``changed()`` is called when ``drafts``, which are to be written to the disk, have changed. ``database``: the name
    of the present database, without which the number of a mark or an alarm means nothing.
    """

    def __init__(self, changed: Callable[[], object]) -> None:
        self.database = ""
        self.drafts: tuple[Draft, ...] = ()
        """For each dialog: title, what it is about (JSON), name of the database, texts, words."""
        self._changed = changed
        self._kept: dict[tuple[str, str], Texts] = {}
        self._half_typed: dict[tuple[str, str], Texts] = {}
        self._under_way: set[tuple[str, str]] = set()
        self._found: set[tuple[str, str]] = set()
        self._of_others: tuple[Draft, ...] = ()

    def get(self, key: DialogKey) -> tuple[str, ...]:
        """Return the texts to begin with in that dialog; empty if there are none."""
        return self._kept.get(_written(key), NOTHING).typed

    def keep(self, key: DialogKey, texts: Texts) -> None:
        """Keep the texts of a dialog that has closed; without words, keep none."""
        if texts.words:
            self._kept[_written(key)] = texts
        else:
            self._kept.pop(_written(key), None)
        self._note()

    def half_typed(self, key: DialogKey, texts: Texts | None) -> None:
        """Note the texts of an open dialog, which count before those that were kept; None: it has closed."""
        if texts is None:
            self._half_typed.pop(_written(key), None)
        else:
            self._half_typed[_written(key)] = texts
        self._note()

    def send(self, key: DialogKey) -> None:
        """Note that the database is asked to take these texts."""
        self._under_way.add(_written(key))

    def sent(self, key: DialogKey, *, taken: bool) -> None:
        """Note that the database has answered; forget the texts if it has ``taken`` them."""
        self._under_way.discard(_written(key))
        if taken and self._kept.pop(_written(key), None) is not None:
            self._note()

    @property
    def left(self) -> list[tuple[str, str]]:
        """What the database isn't asked to take: the titles of the dialogs, and the words."""
        return [(key[0], each.words) for key, each in self._kept.items() if key not in self._under_way]

    def discard(self) -> None:
        """Forget what is ``left``."""
        self._kept = {key: each for key, each in self._kept.items() if key in self._under_way}
        self._note()

    def restore(self, drafts: Iterable[Draft]) -> None:
        """Keep what was typed in a window that has ended. What is of another database, or of a dialog into which
        somebody has typed by now, is for a later window."""
        for each in drafts:
            key = each["title"], each["about"]
            if each["database"] == self.database and key not in self._kept and key not in self._half_typed:
                self._kept[key] = Texts(tuple(each["typed"]), each["words"])
                self._found.add(key)
            else:
                self._of_others = (*self._of_others, each)
        self._note()

    @property
    def found(self) -> list[tuple[str, str, str]]:
        """What was restored and is still kept: the title of the dialog, where that is in the menu, and the words."""
        return [
            (title, _WINDOWS.get(title, f"Edit ‣ {title}").rstrip("…") + _place(about), self._kept[title, about].words)
            for title, about in sorted(self._found & self._kept.keys())
        ]

    def _note(self) -> None:
        texts = {**self._kept, **self._half_typed}
        drafts = tuple(
            {"title": title, "about": about, "database": self.database, "typed": [*each.typed], "words": each.words}
            for (title, about), each in texts.items()
            if each.words
        )
        if (*drafts, *self._of_others) != self.drafts:
            self.drafts = (*drafts, *self._of_others)
            self._changed()


def not_sent(titles: Iterable[str]) -> str:
    """Return the sentence about texts in the dialogs of these titles."""
    return f"What you typed in {' and '.join(dict.fromkeys(titles))} isn't sent yet."


def _written(key: DialogKey) -> tuple[str, str]:
    """Return the key as it stands in a draft."""
    title, about = key
    return title, json.dumps(about, ensure_ascii=False, default=str)


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
