"""Draw the application's icon (a leaf with a tick on a rounded square) in the sizes that desktops ask for.

Run: python docs/make_icon.py; needs Pillow.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw

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


def main() -> None:
    """Write all sizes beside the package's other images."""
    folder = Path(__file__).resolve().parent.parent / "abq_data_entry" / "images"
    folder.mkdir(exist_ok=True)
    for size in SIZES:
        draw(size).save(folder / f"icon-{size}.png", optimize=True)


if __name__ == "__main__":
    main()
