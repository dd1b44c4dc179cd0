"""A hand that types without a look at the screen: `python -m benchmarks.hand RATE`, the text on standard input.

So many keys a second on the display of the environment, by the clock; digits, points and line ends (the Return key).
"""

from __future__ import annotations

import os
import sys
import time

from benchmarks.keyboard import Keyboard

_NAMES = {".": "period", "\n": "Return"}


def main(rate: float) -> None:
    """Type all of it."""
    keyboard = Keyboard(os.environ["DISPLAY"])
    begun = time.monotonic()
    for number, character in enumerate(sys.stdin.read()):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        keyboard.press(_NAMES.get(character, character))
    keyboard.close()


if __name__ == "__main__":
    main(float(sys.argv[1]))
