"""Draw a chart: to the bytes of a file, or to a picture for the window with what can be chosen in it.

matplotlib keeps one set of defaults for the whole process: one chart is drawn at a time, on whatever thread.
"""

from __future__ import annotations

import datetime
import io
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from . import climate, completeness, control, correlation, drift, growth, scatter
from .choice import LIGHT_LOOK, ChartChoice, ChartLook, ChartsMissing, chart
from .page import Key, Page, Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILE_SIZE = (960, 540)
"""The size of a file, in pixels of 96 dots an inch."""
FILE_DOTS = 144
_DRAWERS: dict[str, Callable[[Page, Sequence[Row]], object]] = {
    "climate": climate.draw,
    "correlation": correlation.draw,
    "growth": growth.draw,
    "control": control.draw,
    "completeness": completeness.draw,
    "drift": drift.draw,
    "scatter": scatter.draw,
}
_ONE_AT_A_TIME = threading.Lock()
_LINES, _LEAST_LETTERS = 18, 0.6
"""A picture of fewer lines of text than this gets smaller letters, down to this fraction of the font size."""


class Panel(NamedTuple):
    """Where a panel lies in the picture, in pixels from its upper left corner, and what its edges mean."""

    left: float
    top: float
    right: float
    bottom: float
    limits: tuple[float, float, float, float]
    """The values at its left, right, lower and upper edge."""


class DrawnPoint(NamedTuple):
    """A point that can be chosen: where it lies in the picture, what it says, and the records behind it."""

    x: float
    y: float
    words: str
    key: Key | None


class Drawing(NamedTuple):
    """A chart as the window shows it: a picture in the format PPM, its panels and points, and its title in words."""

    width: int
    height: int
    picture: bytes
    title: str
    panels: tuple[Panel, ...]
    points: tuple[DrawnPoint, ...]


Limits = dict[int, tuple[float, float, float, float]]
"""What is shown of panels, by number: the values at the left, right, lower and upper edge."""


def to_file(
    rows: Sequence[Row],
    choice: ChartChoice,
    form: str,
    look: ChartLook = LIGHT_LOOK,
    size: tuple[int, int] = FILE_SIZE,
    limits: Limits | None = None,
) -> bytes:
    """Return the chart of these rows as a `png`, `svg` or `pdf`; `size` in pixels of 96 dots an inch. Raises
    ChartsMissing."""
    with _page(rows, choice, look, (size[0] / 96, size[1] / 96), limits) as page:
        told: dict[str, Any] = {"Title": page.title}
        if form != "png":
            told["Date" if form == "svg" else "CreationDate"] = None  # the same data give the same file
        file = io.BytesIO()
        page.figure.savefig(file, format=form, dpi=FILE_DOTS, metadata=told)
        return file.getvalue()


def to_picture(
    rows: Sequence[Row], choice: ChartChoice, look: ChartLook, size: tuple[int, int], limits: Limits | None = None
) -> Drawing:
    """Return the chart of these rows for a window, `size` in its pixels. Raises ChartsMissing."""
    width, height = size
    with _page(rows, choice, look, (width / look.dots, height / look.dots), limits) as page:
        canvas: Any = page.figure.canvas
        canvas.draw()
        import numpy

        colours = numpy.asarray(canvas.buffer_rgba())[:, :, :3]
        height, width = colours.shape[:2]
        ppm = b"P6 %d %d 255\n" % (width, height) + colours.tobytes()
        return Drawing(width, height, ppm, page.title, _panels(page, height), _points(page, height))


@contextmanager
def _page(
    rows: Sequence[Row], choice: ChartChoice, look: ChartLook, inches: tuple[float, float], limits: Limits | None
) -> Iterator[Page]:
    """The page, laid out; matplotlib is this thread's alone until the block ends."""
    look = look._replace(points=max(look.points * _LEAST_LETTERS, min(look.points, inches[1] * 72 / _LINES / 1.4)))
    with _ONE_AT_A_TIME:
        figure_class, canvas_class, settings = _matplotlib()
        with settings(_defaults(look)):
            figure = figure_class(figsize=inches, dpi=look.dots, layout="constrained")
            canvas_class(figure)
            page = Page(figure, choice, look)
            _DRAWERS[choice.name](page, rows)
            source = f"{chart(choice.name).view}, {datetime.datetime.now():%Y-%m-%d %H:%M}"
            page.note = f"{page.note}{page.left_out} Source: {source}.".strip()
            page.finish()
            for number, shown in (limits or {}).items():
                if page.zoomable and number < len(page.panels):
                    page.panels[number].set_xlim(*shown[:2])
                    page.panels[number].set_ylim(*shown[2:])
            yield page


def _matplotlib() -> tuple[type[Figure], Any, Any]:
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ChartsMissing(
            "Charts need the package matplotlib, which isn't installed here: pip install matplotlib."
            f" Everything else works without it. ({error})"
        ) from error
    # matplotlib replaces a font that it doesn't find, and would warn of that at each letter.
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    return Figure, FigureCanvasAgg, rc_context


def _defaults(look: ChartLook) -> dict[Any, Any]:
    return {
        "font.family": list(dict.fromkeys((look.family, "DejaVu Sans"))),
        "font.size": look.points,
        "text.color": look.text,
        "axes.labelcolor": look.text,
        "axes.titlesize": look.points,
        "axes.labelsize": look.points,
        "xtick.labelsize": look.points * 0.92,
        "ytick.labelsize": look.points * 0.92,
        "legend.fontsize": look.points * 0.92,
        "xtick.color": look.muted,
        "ytick.color": look.muted,
        "xtick.labelcolor": look.text,
        "ytick.labelcolor": look.text,
        "axes.edgecolor": look.muted,
        "axes.facecolor": look.ground,
        "figure.facecolor": look.ground,
        "savefig.facecolor": look.ground,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": look.line,
        "grid.linewidth": 0.7,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.unicode_minus": True,
        "svg.hashsalt": "abq",
        "pdf.fonttype": 42,
        "path.simplify_threshold": 0.5,
    }


def _panels(page: Page, height: int) -> tuple[Panel, ...]:
    found = []
    for axes in page.panels if page.zoomable else ():
        box = axes.get_window_extent()
        limits = (*axes.get_xlim(), *axes.get_ylim())
        found.append(Panel(box.x0, height - box.y1, box.x1, height - box.y0, limits))
    return tuple(found)


def _points(page: Page, height: int) -> tuple[DrawnPoint, ...]:
    """Return the points that can be seen, from left to right."""
    import numpy

    found: list[DrawnPoint] = []
    for number, axes in enumerate(page.panels):
        spots = [each for each in page.spots if each.panel == number]
        if not spots:
            continue
        across = axes.convert_xunits([each.across for each in spots])  # type: ignore[no-untyped-call]
        places = axes.transData.transform(numpy.column_stack([across, [each.up for each in spots]]))
        box = axes.get_window_extent()
        found += [
            DrawnPoint(float(x), height - float(y), spot.words, spot.key)
            for (x, y), spot in zip(places, spots, strict=True)
            if box.x0 - 1 <= x <= box.x1 + 1 and box.y0 - 1 <= y <= box.y1 + 1
        ]
    return tuple(sorted(found, key=lambda each: (each.x, each.y)))
