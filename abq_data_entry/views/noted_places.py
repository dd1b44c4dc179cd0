"""The line with the open notes about what the form shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .form_content import CheckKey

Notes = Mapping[tuple[object, ...], Sequence[str]]
"""The texts of open notes, by subject: (date, time, lab) for a check, (lab, plot) for a plot, or the lab's letter."""

_ALL = "Go ‣ Handover"


def notes_line(notes: Notes, lab: object, check: CheckKey | None, plot: int | None) -> str:
    """Return the notes about that plot, check and lab, in this order, in one line.

    If all are about other plots or checks of the lab, the line is only their number; empty if the lab has none.
    """
    count = sum(len(words) for place, words in notes.items() if lab in (place[0], place[-1]))
    places: tuple[tuple[str, tuple[object, ...]], ...] = (
        (f"plot {plot}", (lab, plot)), ("this check", check or ()), (f"lab {lab}", (lab,))
    )  # fmt: skip
    texts = [f"to {name}: {words}" for name, place in places for words in notes.get(place, ())]
    if not texts:
        notes_are = "1 note is" if count == 1 else f"{count} notes are"
        return f"{notes_are} to plots or checks of lab {lab}: {_ALL}" if count else ""
    more = f" ({_ALL} lists {count})" if count > len(texts) else ""
    return f"{'Note' if len(texts) == 1 else f'{len(texts)} notes'}{more}: {' · '.join(texts)}"
