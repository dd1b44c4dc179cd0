"""Two fields of the records, each record a point in the colour of the temperature outside."""

from __future__ import annotations

from collections.abc import Sequence

from ..counting import counted
from .page import Page, Row, label, legend_above, name, unit


def draw(page: Page, rows: Sequence[Row]) -> None:
    """Rows of records with the `outside_temperature` of their checks."""
    across, up = page.choice.across, page.choice.up
    if not rows:
        page.show_text(f"There are no records with {name(across)} and {name(up)} of {page.choice.words}")
        return
    (axes,) = page.add_panels(1)
    known = [row for row in rows if row["outside_temperature"] is not None]
    unknown = [row for row in rows if row["outside_temperature"] is None]
    if unknown:
        axes.scatter([row["across"] for row in unknown], [row["up"] for row in unknown], s=14, marker="x",
                     color=page.look.muted, linewidths=0.8, label="Without weather")  # fmt: skip
    if known:
        drawn = axes.scatter(
            [row["across"] for row in known], [row["up"] for row in known], s=14, linewidths=0,
            c=[row["outside_temperature"] for row in known], cmap="cividis", alpha=0.85, label="_with weather",
        )  # fmt: skip
        bar = page.figure.colorbar(drawn, ax=axes, pad=0.02, aspect=30)
        bar.set_label("Temperature outside (°C)")
        bar.outline.set_visible(False)
    for row in rows:
        outside = row["outside_temperature"]
        words = (
            f"Lab {row['lab']}, plot {row['plot']}, {row['date']} {row['time']:%H:%M}: {name(across)} {row['across']:g}"
            f"{unit(across)}, {name(up)} {row['up']:g}{unit(up)}"
        )
        told = "" if outside is None else f", outside {outside:.1f} °C"
        page.add_spot(0, row["across"], row["up"], words + told, (row["date"], row["time"], row["lab"], row["plot"]))
    axes.set_xlabel(label(across))
    axes.set_ylabel(label(up))
    legend_above(page)
    where = f"lab {page.choice.lab}" if page.choice.lab else "all labs"
    page.title = f"{name(up, True)} against {name(across)} in {where}, by the temperature outside"
    total = rows[0]["records"]
    part = counted(len(rows), "record") + (f", drawn by chance from {total:,}" if total > len(rows) else "")
    page.note = f"{page.choice.heading}: {part}."
