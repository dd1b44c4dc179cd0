"""Take the pictures of the window and of the dialogs, for README.md and lab-staff.md, from what the demo has left.

Run from the checkout, with Pillow, after `python3 abq_data_entry.py demo --folder demo` on a machine without a
display (so that the size of the screen is the same): python docs/make_pictures.py demo
"""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

IMAGES = Path(__file__).resolve().parent / "images"
WANTED = (
    "login", "history", "withdraw", "move", "correct-many", "withdrawn", "deliveries", "connections", "administration",
    "conflict", "plot",
)  # fmt: skip
COLOURS = 32


def main(demo: Path) -> None:
    """Write one picture of the window, in which a plot with a fault is typed, and one for each dialog."""
    for taken, name in (("fault", "window"), *((f"dialog-{each}", f"dialog-{each}") for each in WANTED)):
        (found,) = demo.glob(f"*-{taken}.png")
        with Image.open(found) as picture:
            few = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
