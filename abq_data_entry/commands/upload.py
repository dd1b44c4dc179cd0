"""`upload`: make the extract of a day and deliver it."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from .days import add_date_option
from .outcome import NotDone, interrupt_sets
from .passwords import DELIVERY_VARIABLE, Secrets, login_for, service_name

if TYPE_CHECKING:
    from threading import Event

    from ..models import SettingsModel
    from . import Words

    Send = Callable[[SettingsModel, Path, str, str, Event], None]

_SUCCESS = {"rest": "{file} successfully uploaded to REST API.", "ftp": "{file} successfully uploaded to FTP"}


def add_to(words: Words) -> None:
    """Add the word to the parser."""
    word = words.add_parser(
        "upload",
        help="deliver the extract of a day",
        description="Make the extract of a day and deliver it to the company's REST service or FTP server.",
        epilog=f"The password comes from --password-stdin, else from {DELIVERY_VARIABLE}, else from the system's "
        f"keyring (as {service_name('rest')} or {service_name('ftp')}), else it is asked for.",
        allow_abbrev=False,
    )
    word.add_argument("destination", choices=tuple(_SUCCESS))
    add_date_option(word)
    word.add_argument("--username", default="", metavar="U", help="who logs in there (default: asked for)")
    word.add_argument("--password-stdin", action="store_true", help="the first line of standard input is the password")
    word.set_defaults(run=run)


def run(options: argparse.Namespace, secrets: Secrets) -> None:
    """Without records nothing is asked and nothing sent."""
    from .. import outbox
    from .database import opened_model, read_settings

    settings = read_settings()
    date = options.date or datetime.date.today()
    send = {"rest": _by_rest, "ftp": _by_ftp}[options.destination]

    def deliver(path: Path) -> None:
        username, password = login_for(options.destination, options.username, options.password_stdin, secrets)
        with interrupt_sets() as cancel:
            send(settings, path, username, password, cancel)

    with opened_model(settings, secrets) as model:
        try:
            name = outbox.deliver_extract(model, date, deliver)
        except outbox.NoRecords:
            raise NotDone(f"There are no records to upload of {date}.") from None
    print(_SUCCESS[options.destination].format(file=name))


def _by_rest(settings: SettingsModel, path: Path, username: str, password: str, cancel: Event) -> None:
    from .. import network

    upload_url, auth_url = str(settings["abq_upload_url"]), str(settings["abq_auth_url"])
    network.upload_to_corporate_rest(path, upload_url, auth_url, username, password, cancel=cancel)


def _by_ftp(settings: SettingsModel, path: Path, username: str, password: str, cancel: Event) -> None:
    from .. import network

    host, port = str(settings["abq_ftp_host"]), int(settings["abq_ftp_port"])
    network.upload_to_corporate_ftp(path, host, port, username, password, cancel=cancel)
