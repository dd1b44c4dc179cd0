"""Where a delivery goes by the settings, and by which protocol: the one place that the window and the words share."""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..remote_names import folder_problem, name_problem
from . import left_there
from .audit_head import companion, companion_name, head_in
from .delivery import Destination
from .errors import OutboxError, SettingsUnusable
from .sending import Progress

if TYPE_CHECKING:
    from ..network import Uploads

AUDIT_HEADER = "ABQ-Audit-Head"

Settings = Mapping[str, object]


def destination_of(kind: str, settings: Settings) -> Destination:
    """Return where `rest` or `ftp` leads by these settings; what could be secret in an address is left out."""
    if kind == "rest":
        return Destination(kind, _without_secrets(str(settings["abq_upload_url"])))
    folder = str(settings["abq_ftp_folder"])
    return Destination(kind, f"{_file_server(settings)}/{folder}" if folder else _file_server(settings))


def _file_server(settings: Settings) -> str:
    port = settings["abq_sftp_port" if settings["abq_transfer"] == "sftp" else "abq_ftp_port"]
    return f"{settings['abq_ftp_host']}:{port}"


def require_usable(kind: str, settings: Settings) -> None:
    """Raise `SettingsUnusable` if the settings give no folder or no name that a file could have at `rest` or `ftp`."""
    _require("abq_upload_name", name_problem(str(settings["abq_upload_name"])))
    if kind == "ftp":
        _require("abq_ftp_folder", folder_problem(str(settings["abq_ftp_folder"])))


def _require(name: str, problem: str | None) -> None:
    if problem is not None:
        raise SettingsUnusable(f"The setting {name!r} {problem}. Nothing was sent.")


def login_place(kind: str, settings: Settings) -> str:
    """Return where a login for `rest` or `ftp` goes by these settings: it isn't meant for any other place."""
    if kind == "rest":
        addresses = (_without_secrets(str(settings[name])) for name in ("abq_auth_url", "abq_upload_url"))
        return " ".join(dict.fromkeys(addresses))
    return f"{settings['abq_transfer']}://{_file_server(settings)}"


def require_same(destination: Destination, settings: Settings) -> None:
    """Raise `OutboxError` if the settings lead somewhere else by now: a login for here isn't sent there.

    Raises `SettingsUnusable` if they lead nowhere: then it isn't known that they do.
    """
    if destination.kind == "ftp":
        _require("abq_ftp_folder", folder_problem(str(settings["abq_ftp_folder"])))
    if destination_of(destination.kind, settings) != destination:
        raise OutboxError(
            f"The settings for {destination.kind} have changed since: it was to go to {destination.address}. "
            "Upload the day again."
        )


def sender(kind: str, settings: Settings, username: str, password: str) -> Sender:
    """Return what brings files to their destination with this login; nothing else keeps the password.

    Called by itself it logs in, sends one file and leaves nothing open. As a context manager it logs in for the first
    file, and keeps the connection for the others until the end.
    """
    by = {"rest": _by_rest, "ftp": _by_sftp if settings["abq_transfer"] == "sftp" else _by_ftp}[kind]
    return Sender(partial(by, settings, username, password), destination_of(kind, settings),
                  bool(settings["abq_audit_companion"]))


class Sender:
    """What brings files to one destination, one at a time (a `Send`).

    `destination`: where that is, so that what cancelled deliveries left there can be removed.
    """

    def __init__(
        self, opened: Callable[[], Uploads], destination: Destination | None = None, with_companion: bool = False
    ) -> None:
        self._opened = opened
        self._with_companion = with_companion
        self._destination = destination
        self._stays_open = False
        self._uploads: Uploads | None = None

    def __call__(self, path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> None:
        """Send the file, with where the audit stood if the outbox has that; raises what `network` raises.

        `name`: what it is called there.
        """
        if not self._stays_open:
            with self._opened() as uploads:
                self._send(uploads, path, name, progress, cancel)
            return
        if self._uploads is None:
            self._uploads = self._opened()
        self._send(self._uploads, path, name, progress, cancel)

    def _send(self, uploads: Uploads, path: Path, name: str, progress: Progress, cancel: threading.Event) -> None:
        _send(uploads, path, name, progress, cancel, self._with_companion)
        if self._destination is not None:
            left_there.discard(path.parent.parent, self._destination, uploads)

    def __enter__(self) -> Sender:
        self._stays_open = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stays_open = False
        uploads, self._uploads = self._uploads, None
        if uploads is not None:
            uploads.close()


def _send(
    uploads: Uploads, path: Path, name: str, progress: Progress, cancel: threading.Event, with_companion: bool
) -> None:
    """Send the file; the audit's head goes in a header, or, where that is set, just before it as a file of its own."""
    from .. import network

    identifier = path.parent.name  # the delivery's folder in the outbox: the same for all its attempts
    head = head_in(path)
    if head and isinstance(uploads, network.RestUploads):
        headers = {AUDIT_HEADER: head}
        uploads.upload(path, name=name, identifier=identifier, progress=progress, cancel=cancel, headers=headers)
        return
    if head and with_companion:
        uploads.upload(companion(path), name=companion_name(name), identifier=f"{identifier}-audit", cancel=cancel)
    uploads.upload(path, name=name, identifier=identifier, progress=progress, cancel=cancel)


def _by_rest(settings: Settings, username: str, password: str) -> Uploads:
    from .. import network

    return network.RestUploads(
        str(settings["abq_upload_url"]),
        str(settings["abq_auth_url"]),
        username,
        password,
        timeout=_timeout(settings),
        **_chosen(
            settings, ca_file="abq_ca_file", client_certificate="abq_client_certificate", proxy="network_proxy"
        ),
    )


def _by_ftp(settings: Settings, username: str, password: str) -> Uploads:
    from .. import network

    return network.FtpUploads(
        str(settings["abq_ftp_host"]),
        int(str(settings["abq_ftp_port"])),
        username,
        password,
        passive=bool(settings["abq_ftp_passive"]),
        folder=str(settings["abq_ftp_folder"]),
        timeout=_timeout(settings),
        **_chosen(settings, security="abq_ftp_security", ca_file="abq_ca_file"),
    )


def _by_sftp(settings: Settings, username: str, password: str) -> Uploads:
    from .. import network

    return network.SftpUploads(
        str(settings["abq_ftp_host"]),
        int(str(settings["abq_sftp_port"])),
        username,
        password,
        str(settings["abq_sftp_known_hosts"]) or None,
        str(settings["abq_sftp_key_file"]) or None,
        timeout=_timeout(settings),
        host_key=str(settings["abq_sftp_host_key"]),
        folder=str(settings["abq_ftp_folder"]),
    )


def _timeout(settings: Settings) -> float:
    """Seconds of silence after which a delivery has failed."""
    return float(str(settings["network_timeout"]))


def _chosen(settings: Settings, **names: str) -> dict[str, Any]:
    """The options whose setting isn't empty; the protocol knows what the others should be."""
    return {option: settings[name] for option, name in names.items() if settings.get(name)}


def _without_secrets(url: str) -> str:
    """The address without user, password, query and fragment; as it is if it is none."""
    try:
        parts = urllib.parse.urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname or ""
        place = host if parts.port is None else f"{host}:{parts.port}"
    except ValueError:
        return "an address that isn't valid"
    return urllib.parse.urlunsplit((parts.scheme, place, parts.path, "", ""))
