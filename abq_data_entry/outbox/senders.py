"""What brings files to their destination, by the settings; the window and the command line share it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..network.destination import Place, Settings
from ..network.destinations import destination
from ..remote_names import name_problem
from .extract import OutboxError, SettingsUnusable, companion, companion_name, head_in
from .sending import Progress

if TYPE_CHECKING:
    from ..network import Uploads
    from .folder import Outbox

AUDIT_HEADER = "ABQ-Audit-Head"


def require_usable(kind: str, settings: Settings) -> None:
    """Raise `SettingsUnusable` if the settings give no name that a file could have, or can't be used to send it."""
    if problem := name_problem(str(settings["abq_upload_name"])):
        raise SettingsUnusable(f"The setting 'abq_upload_name' {problem}. Nothing was sent.")
    _require_own(kind, settings)


def _require_own(kind: str, settings: Settings) -> None:
    if problem := destination(kind).problem(settings):
        raise SettingsUnusable(f"{problem} Nothing was sent.")


def require_same(place: Place, settings: Settings) -> None:
    """Raise `OutboxError` if the settings lead somewhere else by now: a login for here isn't sent there.

    Raises `SettingsUnusable` if they lead nowhere: then it isn't known that they do.
    """
    _require_own(place.kind, settings)
    if destination(place.kind).place(settings) != place:
        raise OutboxError(
            f"The settings for {place.kind} have changed since: it was to go to {place.address}. "
            "Upload the day again."
        )


def sender(kind: str, settings: Settings, username: str, password: str, outbox: Outbox | None = None) -> Sender:
    """Return what brings files to their destination with this login; nothing else keeps the password.

    Called by itself it logs in, sends one file and leaves nothing open. As a context manager it logs in for the first
    file, and keeps the connection for the others until the end. What cancelled deliveries of `outbox` left there is
    removed with the first file that arrives.
    """
    to = destination(kind)
    opened = partial(to.uploads, settings, username, password)
    discard = None if outbox is None else partial(outbox.discard_parts, to.place(settings))
    return Sender(opened, discard, bool(settings["abq_audit_companion"]))


class Sender:
    """What brings files to one destination, one at a time (a `Send`).

    `discard`: removes what cancelled deliveries left there.
    """

    def __init__(
        self,
        opened: Callable[[], Uploads],
        discard: Callable[[Uploads], object] | None = None,
        with_companion: bool = False,
    ) -> None:
        self._opened = opened
        self._with_companion = with_companion
        self._discard = discard
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
        if self._discard is not None:
            self._discard(uploads)

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
    identifier = path.parent.name  # the delivery's folder in the outbox: the same for all its attempts
    head = head_in(path)
    if head and not uploads.take_along({AUDIT_HEADER: head}) and with_companion:
        uploads.upload(companion(path), name=companion_name(name), identifier=f"{identifier}-audit", cancel=cancel)
    uploads.upload(path, name=name, identifier=identifier, progress=progress, cancel=cancel)
