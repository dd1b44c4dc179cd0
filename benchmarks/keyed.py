"""The application as a process of its own in which a check is keyed, until somebody kills it.

`python -m benchmarks.keyed FOLDER DISPLAY DATABASE NUMBER AWAY`: says on standard output, a JSON list a line, what the
form holds at the start, when what waited is saved, each value that is typed and each plot that is shown as saved. AWAY
is 1 for a check that is keyed without the database.
"""

from __future__ import annotations

import datetime
import json
import logging
import os
import sys
import time
from pathlib import Path

from abq_data_entry.constants import FieldNames as F
from benchmarks.driver import Driver, window
from benchmarks.options import Options

TECHNICIAN, TIME, LAB = "J Simms", "8:00", "A"
PLOTS = 20
KEY_SECONDS = 0.02  # between keys, faster than any hand
_KEYS = {".": "period"}


def date_of(number: int) -> datetime.date:
    """The day of the n-th check: each has its own."""
    return datetime.date(2020, 1, 1) + datetime.timedelta(days=number)


def values(number: int, plot: int) -> dict[str, str]:
    """What is typed for a plot of the n-th check; no value of it is that of another plot or of the check before."""
    cents = f"{number % 100:02}"
    readings = (f"{plot}.{cents}", f"{20 + plot}.{cents}", f"{10 + plot}.{cents}", f"{plot}")
    counts = (f"{(number * PLOTS + plot) % 1000}", f"{100 + plot}")
    names = (F.HUMIDITY, F.LIGHT, F.TEMPERATURE, F.PLANTS, F.BLOSSOMS, F.FRUIT, F.MIN_HEIGHT, F.MAX_HEIGHT)
    heights = (f"{plot}.{cents}", f"{200 + plot}.{cents}", f"{100 + plot}.{cents}")
    return dict(zip((*names, F.MEDIAN_HEIGHT), (*readings, *counts, *heights), strict=True))


def main(folder: str, display: str, database: str, number: int, away: bool) -> None:
    """Open the window, tell how it comes up, and key until the end of the check."""
    logging.getLogger().addHandler(logging.NullHandler())  # what is expected here isn't worth a line each
    with window(Options(Path(folder), display), database) as driver:
        app = driver.app
        _tell("opened", app.form.inputs.texts() if app.form.changed else None)
        driver.until(lambda: not app.waiting_records.entries, "what waits to be saved")
        driver.settle()
        app.form.begin_new()
        app.drafts.keep()
        app.form.set_check(date_of(number), TIME, LAB)
        driver.until(lambda: app.form.check.known, "the check")
        driver.fill({F.TECHNICIAN: TECHNICIAN})
        app.form.keep_date()  # each check has a day of its own, long ago: the form asks whether it is right
        app.form.focus_first_empty()
        if away:
            app.reconnecting.lost(ConnectionError("nobody plugged it in"), by_itself=False)
        driver.settle()
        _tell("ready")
        for plot in range(1, PLOTS + 1):
            _key(driver, number, plot)
        driver.until(lambda: False, "the end", 60.0)


def _key(driver: Driver, number: int, plot: int) -> None:
    form, saved = driver.app.form, driver.app.shared.saved_records
    for name, text in values(number, plot).items():
        driver.until(lambda name=name: form.focused is form.inputs[name], f"the focus on {name}")  # type: ignore[misc]
        for position, character in enumerate(text, start=1):
            driver.keyboard.press(_KEYS.get(character, character))
            shown = text[:position]
            driver.until(lambda name=name, shown=shown: form.inputs[name].text == shown, f"{shown} in {name}")  # type: ignore[misc]
            pause = time.monotonic() + KEY_SECONDS
            driver.until(lambda pause=pause: time.monotonic() >= pause, "the next key")  # type: ignore[misc]
        _tell("typed", plot, name, text, time.time())
        driver.keyboard.press("Return")
    driver.until(lambda: driver.app.shared.saved_records > saved and not form.saving, "the save")
    _tell("saved", plot)


def _tell(*what: object) -> None:
    # At once, in one piece: what was told before the kill has been told.
    os.write(1, json.dumps(what).encode("utf-8") + b"\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5] == "1")
