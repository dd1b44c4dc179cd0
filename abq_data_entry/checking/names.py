"""The names that files get at a destination: settings that can't be used are told before anything is asked."""

from __future__ import annotations

from collections.abc import Callable

from ..remote_names import folder_problem, name_problem
from .steps import Inspection, Steps

MADE_LATER = "It is made with the first delivery, if it is missing and the user may: --write tries that."

_CHECKS: dict[str, Callable[[str], str | None]] = {
    "abq_ftp_folder": folder_problem,
    "abq_upload_name": name_problem,
}


def usable(inspection: Inspection, *names: str) -> Steps[None]:
    """Fail by name where one of these settings can't be used."""
    settings = inspection.terms.settings
    for name in names:
        if problem := _CHECKS[name](str(settings[name])):
            yield from inspection.fail("Settings", f"The setting {name!r} {problem}. Nothing is delivered by it.")
    if "{date}" not in (pattern := str(settings["abq_upload_name"])):
        yield inspection.note(
            "Settings", f"extracts are called {pattern} there",
            "Without {date} in abq_upload_name the extract of each day takes the place of the one before.",
        )  # fmt: skip
