"""Draw the application's icon (a leaf with a tick on a rounded square) and the boxes to tick, in all sizes needed.

Run from the checkout, with Pillow: PYTHONPATH=. python docs/make_icon.py
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

from abq_data_entry.themes import DARK, LIGHT
from abq_data_entry.themes.styles import BOX_SIZES

SIZES = (16, 32, 48, 64, 128, 256)
SCALE = 4
GREEN, LEAF, INK = "#0a6a4e", "#bfe8d3", "#0a3a2b"


def draw(size: int) -> Image.Image:
    """The icon, ``size`` pixels square, drawn larger and reduced so that its edges are smooth."""
    side = size * SCALE
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.rounded_rectangle((0, 0, side - 1, side - 1), radius=side * 0.2, fill=GREEN)
    leaf = Image.new("L", (side, side), 0)
    circle = Image.new("L", (side, side), 0)
    radius = side * 0.46
    for mask, x, y in ((leaf, 0.36, 0.36), (circle, 0.64, 0.64)):
        middle = (side * x, side * y)
        ImageDraw.Draw(mask).ellipse(
            (middle[0] - radius, middle[1] - radius, middle[0] + radius, middle[1] + radius), fill=255
        )
    both = Image.composite(leaf, Image.new("L", (side, side), 0), circle)
    image.paste(Image.new("RGBA", (side, side), LEAF), (0, 0), both)
    width = max(1, round(side * 0.085))
    points = [(side * x, side * y) for x, y in ((0.34, 0.52), (0.46, 0.64), (0.68, 0.38))]
    pen.line(points, fill=INK, width=width, joint="curve")
    return image.resize((size, size), Image.Resampling.LANCZOS)


def draw_box(size: int, ticked: bool, colours: tuple[str, str, str, str]) -> Image.Image:
    """A box to tick; ``colours``: of the field, its border, the box when ticked, and the tick."""
    field, border, accent, tick = colours
    side = size * SCALE
    image = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    edge = (SCALE, SCALE, side - 1 - SCALE, side - 1 - SCALE)
    fill, outline = (accent, accent) if ticked else (field, border)
    pen.rounded_rectangle(edge, radius=side * 0.16, fill=fill, outline=outline, width=SCALE)
    if ticked:
        points = [(side * x, side * y) for x, y in ((0.26, 0.52), (0.43, 0.69), (0.75, 0.33))]
        pen.line(points, fill=tick, width=round(side * 0.11), joint="curve")
    return image.resize((size, size), Image.Resampling.LANCZOS)


def main() -> None:
    """Write all sizes beside the package's other images."""
    folder = Path(__file__).resolve().parent.parent / "abq_data_entry" / "images"
    folder.mkdir(exist_ok=True)
    for size in SIZES:
        draw(size).save(folder / f"icon-{size}.png", optimize=True)
    for name, palette in (("light", LIGHT), ("dark", DARK)):
        colours = (palette.field, palette.border, palette.accent, palette.on_accent)
        for size in BOX_SIZES:
            for ticked in (False, True):
                file = folder / f"box-{'on' if ticked else 'off'}-{name}-{size}.png"
                draw_box(size, ticked, colours).save(file, optimize=True)


if __name__ == "__main__":
    main()
