"""Run by test_new_setting.py with a copy of the package that has one setting more: the time of a step of a check."""

from __future__ import annotations

import contextlib
import io
import json
import os
import socket
from pathlib import Path

from abq_data_entry.commands import line
from abq_data_entry.models import SettingsModel

FILE = Path(os.environ["ABQ_CONFIG_DIR"]) / "abq_settings.json"


def main() -> None:
    """Read it, refuse a wrong value, and check a service that never answers; whatever fails raises."""
    assert SettingsModel().values()["check_seconds"] == 10
    configure(check_seconds=0)
    settings = SettingsModel()
    assert settings.values()["check_seconds"] == 10 and "must be at least 1" in " ".join(settings.problems)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        configure(check_seconds=1, abq_auth_url=address, abq_upload_url=address)
        with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()):
            assert line.run(["check", "--only", "rest"]) == 1
    assert "didn't answer in time (1 s)" in said.getvalue(), said.getvalue()


def configure(**settings: int | str) -> None:
    """Write the settings file."""
    FILE.parent.mkdir(parents=True, exist_ok=True)
    entries = {name: {"type": type(value).__name__, "value": value} for name, value in settings.items()}
    FILE.write_text(json.dumps(entries), "utf-8")


if __name__ == "__main__":
    main()
