"""Numbers of things in words, and words in one line."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 day`, `2 days`, `1,200 days`; `plural` if it isn't the noun with an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def ranges(numbers: Sequence[int]) -> str:
    """Return 1, 2, 3, 7 as `1–3, 7`, so that the plots of a whole check fit into a column."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(f"{each[0]}–{each[-1]}" if len(each) > 2 else ", ".join(map(str, each)) for each in runs)


def one_line(text: str) -> str:
    """Return a text in one line without control characters."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())
