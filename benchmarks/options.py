"""What the measurements are told: where, how large, how often."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Options:
    """`folder`: the server's and all that is written; `display`: the X display of the windows."""

    folder: Path
    display: str
    records: int = 10_000_000
    runs: int = 15
    extract_records: int = 1_000_000
    upload_megabytes: int = 500
    deliveries: int = 1_000
    stall_seconds: float = 5.0
    kills: int = 10
    killed_moments: int = 200
    writing_seconds: float = 60.0
    outages: int = 20
    outage_plots: int = 20
    mutations: int = 30
    seed: int = 11


def environment(options: Options, database: str) -> dict[str, str]:
    """The environment of a window on our display, with settings of its own that name the database."""
    settings = options.folder / f"settings-{database}"
    settings.mkdir(exist_ok=True)
    # No daily backup of ten million records in the middle of a measurement.
    values = {"db_name": {"type": "str", "value": database}, "backup_keep": {"type": "int", "value": 0}}
    (settings / "abq_settings.json").write_text(json.dumps(values), encoding="utf-8")
    forget_last_database(options.folder)
    # Python's own switches are a developer's: without its compiled files, say, each start compiles all of it.
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    return {
        **{key: value for key, value in kept.items() if key not in ("WAYLAND_DISPLAY", "XAUTHORITY")},
        "DISPLAY": options.display,
        "ABQ_DATA_DIR": str(options.folder),
        "ABQ_CONFIG_DIR": str(settings),
    }


def forget_earlier_windows(folder: Path) -> None:
    """Let no window offer what the windows of an earlier group left in the folder that all share."""
    for name in ("drafts", "journal", "outbox"):
        shutil.rmtree(folder / name, ignore_errors=True)


def forget_last_database(folder: Path) -> None:
    """Let no window ask about another database than last time: the databases of all groups share the folder."""
    (folder / "last-database").unlink(missing_ok=True)
