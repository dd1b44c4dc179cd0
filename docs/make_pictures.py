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
_BELOW_THE_MENU = 48
PARTS = {
    "out-of-range": ("error", (_BELOW_THE_MENU, 487)),
    "check-complete": ("complete", (_BELOW_THE_MENU, 187)),
    "fault": ("window", None),
    "dark": ("dark", None),
}
"""What the demo has taken of the window: what it is called here, and between which rows of pixels it is cut."""


def main(demo: Path) -> None:
    """Write the pictures of the window, whole or in part, and one for each dialog."""
    for taken, (name, rows) in {**PARTS, **{f"dialog-{each}": (f"dialog-{each}", None) for each in WANTED}}.items():
        (found,) = demo.glob(f"*-{taken}.png")
        with Image.open(found) as picture:
            part = picture.crop((0, rows[0], picture.width, rows[1])) if rows else picture
            few = part.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
            few.save(IMAGES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
