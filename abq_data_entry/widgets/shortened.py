"""A text cut to a width, with an ellipsis for what is missing."""

from __future__ import annotations

from collections.abc import Callable


def shortened(text: str, width: int, measure: Callable[[str], int]) -> str:
    """``text`` on one line of ``width`` pixels at most; ``measure`` tells how wide a text is."""
    line = " ".join(text.split())
    if measure(line) <= width:
        return line
    low, high = 0, len(line)
    while low < high:  # the most characters that fit
        middle = (low + high + 1) // 2
        if measure(f"{line[:middle].rstrip()}…") <= width:
            low = middle
        else:
            high = middle - 1
    return f"{line[:low].rstrip()}…" if low else ""
