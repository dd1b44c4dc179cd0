"""One attempt at a delivery: its beginning and its outcome are written to the outbox.

And several attempts in a row: which are due, which share a login, and when to stop. The sender is made here from the
settings, for the window and the command line; the outcomes are written to the database.
"""

from __future__ import annotations

import datetime
import logging
import random
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

from ..models.errors import DatabaseError
from ..network.destination import Place, Settings
from ..network.destinations import destination
from ..network.failures import Cancelled, describe_failure, with_sentence
from ..remote_names import name_problem
from .delivery import (
    BROKEN_OFF,
    CANCELLED,
    CANCELLED_LATE,
    CANCELLED_MIDWAY,
    DELIVERED,
    ENDED,
    FAILED,
    PERHAPS_ARRIVED,
    UNFINISHED,
    UNKNOWN,
    WAITING,
    Attempt,
    Busy,
    Delivery,
    OutboxError,
    SettingsUnusable,
    UnknownDelivery,
    checksum_file,
    companion,
    extract_name,
    head_in,
    report_identifier,
    report_of,
    storable,
)
from .folder import Outbox, replaced_text
from .retry_policy import (
    LIMIT,
    is_due,
    is_transient,
    login_refused,
    next_attempt,
    outcome_unknown,
    retry_after,
    served_by,
    unknown_host_key,
)

if TYPE_CHECKING:
    from ..network import Uploads

log = logging.getLogger(__name__)

_DAMAGED = "The file in the outbox is missing or damaged, so it wasn't sent. Upload the day again."
_SAID_TO_HAVE_ARRIVED = "Somebody has found that it arrived."
_GIVEN_UP = f"Given up after {LIMIT / 3600:.0f} hours of trying."

Progress = Callable[[int, int], object]


class Send(Protocol):
    """Send a file to its destination under that name; raises what `network` raises.

    Returns a remark about the delivered file, as a sentence, or nothing.
    """

    def __call__(self, path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> str | None: ...


def deliver(
    outbox: Outbox,
    delivery: Delivery,
    send: Send,
    *,
    progress: Progress | None = None,
    cancel: threading.Event | None = None,
    jitter: Callable[[], float] = random.random,
    patience: float = 0.0,
) -> tuple[Delivery, BaseException | None]:
    """Make one attempt; return the delivery as it is afterwards, and the error if this attempt failed.

    A delivery that is delivered or cancelled already, or that a later version replaces, isn't sent. Raises `Busy` if
    another process holds its lock for longer than `patience` seconds, `UnknownDelivery`, `OSError` if the outbox's disk
    fails, and BaseExceptions such as KeyboardInterrupt, after which the delivery waits.
    """
    with outbox.locked(delivery, patience):
        is_whole = outbox.is_whole(delivery)  # before the transaction, because reading the file takes time
        delivery, newer = outbox.begin(delivery, is_whole)
        if delivery.state in (*ENDED, UNKNOWN):
            return delivery, None
        if newer is not None:  # all versions have one name at the destination: this one would replace the newer one
            return outbox.write(delivery, state=CANCELLED, planned=None, reason=replaced_text(newer)), None
        if not is_whole:
            error = OutboxError(_DAMAGED)
            return outbox.write(delivery, state=FAILED, planned=None, reason=_DAMAGED), error
        log.info("%s: attempt %d begins", _description(delivery), len(delivery.attempts))
        return _attempted(outbox, delivery, send, progress, cancel or threading.Event(), jitter)


def retry(outbox: Outbox, delivery: Delivery) -> Delivery:
    """Begin another round of attempts, due at once, however often it has failed.

    Raises `OutboxError` if the delivery has arrived or is cancelled, `Busy` while it is being sent.
    """
    present = outbox.change(delivery, UNFINISHED, state=WAITING, planned=None, since=outbox.clock(), failures=0)
    if present.state in ENDED:
        raise OutboxError(
            f"The delivery {present.short_id} is {present.state}, and its file isn't kept. Upload the day again."
        )
    return present


def cancel(outbox: Outbox, delivery: Delivery, reason: str = "Cancelled.") -> Delivery:
    """Cancel a delivery for good, and remove its file. Raises `Busy` while it is sent, `OutboxError` if it arrived."""
    present = outbox.change(delivery, UNFINISHED, state=CANCELLED, planned=None, reason=reason)
    if present.state == DELIVERED:
        raise OutboxError(f"The delivery {present.short_id} has arrived already.")
    return present


def arrived(outbox: Outbox, delivery: Delivery) -> Delivery:
    """Mark a delivery in the state unknown as arrived. Raises `Busy`, `OutboxError`."""
    changes = {"planned": None, "reason": _SAID_TO_HAVE_ARRIVED, "served": ()}
    present = outbox.change(delivery, (UNKNOWN,), state=DELIVERED, **changes)
    if present.state != DELIVERED:
        raise OutboxError(
            f"The delivery {present.short_id} is {present.state}:"
            " only one in the state unknown can be marked as arrived."
        )
    return present


def reopen(outbox: Outbox, delivery: Delivery, reason: str) -> Delivery:
    """Mark a delivery that arrived, or may have, as failed, because the receiver has refused it. Raises `Busy`."""
    return outbox.change(delivery, (DELIVERED, UNKNOWN), state=FAILED, planned=None, reason=reason)


def give_up(outbox: Outbox, delivery: Delivery, reason: str) -> Delivery:
    """Mark a delivery as failed without sending it; a person may retry it. Raises `Busy` while it is being sent."""
    return outbox.change(delivery, UNFINISHED, state=FAILED, planned=None, reason=reason)


def _attempted(
    outbox: Outbox,
    delivery: Delivery,
    send: Send,
    progress: Progress | None,
    cancel: threading.Event,
    jitter: Callable[[], float],
) -> tuple[Delivery, BaseException | None]:
    """Send the file of an attempt that has begun, and write its outcome."""
    began, sent, all_sent = time.monotonic(), 0, False

    def noted(so_far: int, total: int) -> None:
        nonlocal sent, all_sent, delivery
        sent, all_sent = so_far, so_far == total
        if all_sent and not destination(delivery.kind).repeatable and not delivery.may_have_arrived:
            # Written before the last bytes are sent: even if this computer fails now, the file isn't sent twice.
            running = Attempt(delivery.attempts[-1].started, None, delivery.size)
            delivery = outbox.write(delivery, attempts=(*delivery.attempts[:-1], running))
        if progress is not None:
            progress(so_far, total)

    def ended(state: str, outcome: str, reason: str | None = None, **changes: object) -> Delivery:
        moved, outcome = delivery.size if state == DELIVERED else sent, storable(outcome)
        attempt = Attempt(delivery.attempts[-1].started, round(time.monotonic() - began, 3), moved, outcome)
        log.info("%s: %s", _description(delivery), state)
        others = {"planned": None, "reason": outcome if reason is None else reason, **changes}
        return outbox.write(delivery, state=state, attempts=(*delivery.attempts[:-1], attempt), **others)

    try:
        remark = send(outbox.file_of(delivery), name=delivery.sent_as, progress=noted, cancel=cancel)
    except Cancelled as error:
        late = CANCELLED_LATE if all_sent else "Cancelled."
        return ended(CANCELLED, CANCELLED_MIDWAY if error.midway else late), error
    except Exception as error:
        return _failed(outbox, delivery, error, jitter, ended), error
    except BaseException:  # ending the program doesn't cancel the delivery
        if delivery.may_have_arrived:
            ended(UNKNOWN, PERHAPS_ARRIVED)
        else:
            ended(WAITING, BROKEN_OFF)
        raise
    return ended(DELIVERED, "Delivered.", remark or "", served=()), None


def _failed(
    outbox: Outbox, delivery: Delivery, error: Exception, jitter: Callable[[], float], ended: Callable[..., Delivery]
) -> Delivery:
    """Write a failure, and when the next attempt is due, if the failure is temporary."""
    reason, failures = describe_failure(error), delivery.failures + 1
    ended = partial(ended, served=(*delivery.served, *served_by(error)))
    log.warning("%s: the attempt failed: %s", _description(delivery), type(error).__name__)
    if newer := outbox.replaced_by(delivery):  # added while this one was being sent
        return ended(CANCELLED, reason, replaced_text(newer))
    if outcome_unknown(error):
        return ended(UNKNOWN, reason, failures=failures)
    if not is_transient(error):
        return ended(FAILED, reason, failures=failures)
    now = outbox.clock()
    planned = next_attempt(now, delivery.since, failures, retry_after(error, now), jitter())
    if planned is None:
        return ended(FAILED, reason, with_sentence(reason, _GIVEN_UP), failures=failures)
    return ended(WAITING, reason, failures=failures, planned=planned)


def _description(delivery: Delivery) -> str:
    """Return which version of which file goes where, for the log."""
    where = f"to {delivery.address} by {delivery.kind}"
    return f"delivery {delivery.short_id}, {delivery.name} version {delivery.version} {where}"


ENOUGH = 3
"""After this many temporary failures in a row the service counts as down, and the rest is postponed."""


class Service(NamedTuple):
    """The service that a login is for."""

    kind: str
    address: str
    username: str


def due(outbox: Outbox) -> list[Delivery]:
    """Return the deliveries whose next attempt is due, oldest first."""
    now = outbox.clock()
    return [
        each for each in outbox.deliveries() if each.state == WAITING and is_due(now, each.planned, each.changed)
    ]


def by_service(deliveries: Iterable[Delivery]) -> dict[Service, list[Delivery]]:
    """Group deliveries by the login that they need, keeping their order."""
    found: dict[Service, list[Delivery]] = {}
    for each in deliveries:
        found.setdefault(Service(each.kind, each.address, each.username), []).append(each)
    return found


def attempt_each(
    outbox: Outbox, deliveries: Sequence[Delivery], attempt: Callable[[Delivery], BaseException | None]
) -> list[Delivery]:
    """Make one attempt at each delivery to one service; return those that were postponed.

    `attempt` returns the failure, if there was one. The rest is postponed after a response with Retry-After, after
    `ENOUGH` temporary failures in a row, and after a refused login (more attempts might lock the account) or an
    unknown host key.
    """
    in_a_row = 0
    with outbox.kept_open():
        for number, each in enumerate(deliveries, 1):
            error = attempt(each)
            # A refused file, or a refused receiver of a mail, doesn't mean that the service is down.
            is_unwell = error is not None and not served_by(error) and (is_transient(error) or outcome_unknown(error))
            in_a_row = in_a_row + 1 if is_unwell else 0
            if error is not None and in_a_row and retry_after(error, each.changed):
                return _postponed(outbox, each, deliveries[number:])
            if login_refused(error) or unknown_host_key(error) or in_a_row == ENOUGH:
                return list(deliveries[number:])
    return []


def _postponed(outbox: Outbox, failed: Delivery, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Plan waiting deliveries for the same time as the failed one; if that one was given up, for a day later."""
    planned, moment = list[Delivery](), outbox.read(failed.identifier).planned
    moment = moment or outbox.clock() + datetime.timedelta(seconds=LIMIT)
    for each in deliveries:
        with suppress(Busy, UnknownDelivery):
            planned.append(outbox.change(each, (WAITING,), planned=moment))
    return [each for each in planned if each.state == WAITING]


# -- recording states in the database: each once, and later if it can't be reached now

_AT_ONCE = 200


class Ledger(Protocol):
    """The part of `SQLModel` that records deliveries. Writing the same row again, or an older one, has no effect."""

    def record_deliveries(self, rows: Sequence[Mapping[str, object]]) -> None: ...

    def latest_delivery(self, date: datetime.date, file_name: str, destination: str) -> int: ...


def record(outbox: Outbox, ledger: Ledger, only: Delivery | None = None) -> str:
    """Write states that the database doesn't have yet to it; return '', or the reason if that isn't possible now.

    `only`: a delivery that has just changed; the others are ignored.
    """
    unknown = outbox.unrecorded() if only is None else [only]
    for start in range(0, len(unknown), _AT_ONCE):
        these = unknown[start : start + _AT_ONCE]
        try:
            ledger.record_deliveries([as_row(each) for each in these])
        except DatabaseError as error:
            log.warning("deliveries could not be recorded: %s: %s", type(error).__name__, error.detail)
            return str(error)  # the rows stay unrecorded: the next call writes them
        outbox.note_recorded(these)
    return ""


def known_version(ledger: Ledger, date: datetime.date, kind: str, name: str = "") -> int:
    """Return the highest version of a day's file in the database, from any computer; 0 if it can't be asked.

    `name`: the file's name, if it isn't an extract.
    """
    try:
        return ledger.latest_delivery(date, name or extract_name(date), kind)
    except DatabaseError as error:
        log.warning("versions of deliveries are not known: %s: %s", type(error).__name__, error.detail)
        return 0


def as_row(delivery: Delivery) -> dict[str, object]:
    """Return the delivery as a row of the table `deliveries`, by column."""
    return {
        "id": delivery.identifier,
        "file_name": delivery.name,
        "version": delivery.version,
        "date": delivery.date,
        "destination": delivery.kind,
        "address": delivery.address,
        "username": delivery.username,
        "size": delivery.size,
        "sha256": delivery.sha256,
        "created": delivery.created,
        "state": delivery.state,
        "attempts": len(delivery.attempts),
        "last_attempt": delivery.attempts[-1].started if delivery.attempts else None,
        "delivered": delivery.delivered,
        "reason": delivery.reason or None,
        "revision": delivery.revision,
        "audit_head": delivery.audit_head or None,
    }


AUDIT_HEADER = "ABQ-Audit-Head"


def require_usable(kind: str, settings: Settings) -> None:
    """Raise `SettingsUnusable` if the settings give no valid file name, or aren't complete enough to send a file."""
    if problem := name_problem(str(settings["abq_upload_name"])):
        raise SettingsUnusable(f"The setting 'abq_upload_name' {problem}. Nothing was sent.")
    if problem := destination(kind).problem(settings):
        raise SettingsUnusable(f"{problem} Nothing was sent.")


def require_same(place: Place, settings: Settings) -> None:
    """Raise `OutboxError` if the settings name another place by now, or the destination was removed.

    Raises `SettingsUnusable` if they are incomplete, so that the place isn't known.
    """
    to = destination(place.kind)
    if to.is_removed(settings):
        raise OutboxError(
            f"{to.problem(settings)} What was to go there is set aside. Upload the day to another destination, or "
            "cancel it; if one of that name, kind and address is added again, it can be retried."
        )
    if problem := to.problem(settings):
        raise SettingsUnusable(f"{problem} Nothing was sent.")
    # A password that was typed for one server is never sent to another.
    if to.place(settings) != place:
        raise OutboxError(
            f"The settings for {place.kind} have changed since: it was to go to {place.address}. "
            "Upload the day again."
        )


def sender(
    kind: str,
    settings: Settings,
    username: str,
    password: str,
    outbox: Outbox | None = None,
    trusts: Callable[[str, str], bool] | None = None,
) -> Sender:
    """Return the sender of a destination for this login; nothing else keeps the password.

    It is a context manager: it logs in for the first file, and keeps the connection for the others until its end. With
    the first file that arrives, parts that cancelled deliveries of `outbox` left there are removed. `trusts(host,
    fingerprint)`: whether to trust an unknown host key; called at most once.
    """
    to = destination(kind)

    def trusted(fingerprint: str) -> Callable[[], Uploads] | None:
        trust = to.trust(settings, fingerprint)
        if trust is None or trusts is None or not trusts(trust.host, fingerprint):
            return None
        # The next attempt accepts this key only, and writes it to the known_hosts file.
        return partial(to.uploads, trust.settings, username, password)

    opened = partial(to.uploads, settings, username, password)
    discard = partial(outbox.discard_parts, to.place(settings)) if outbox is not None and to.keeps_parts else None
    own = to.own(settings)
    companions = bool(own["abq_audit_companion"]), bool(own.get("abq_sha256_companion"))
    # At a repeatable destination a second file replaces the first: there every attempt sends to everybody.
    served = None if outbox is None or to.repeatable else lambda identifier: outbox.read(identifier).served
    return Sender(opened, discard, *companions, served, trusted)


@dataclass(repr=False, eq=False)  # it holds the password
class Sender(AbstractContextManager["Sender"]):
    """Sends files to one destination over one login, one at a time (a `Send`). A context manager.

    `opened()`: logs in; `discard`: removes parts that cancelled deliveries left there; `served`: the receivers who have
    a delivery from an earlier attempt; `trusted(fingerprint)`: if that unknown host key is to be trusted, another
    `opened`, else None.
    """

    opened: Callable[[], Uploads]
    discard: Callable[[Uploads], object] | None = None
    with_companion: bool = False
    with_checksum: bool = False
    served: Callable[[str], Collection[str]] | None = None
    trusted: Callable[[str], Callable[[], Uploads] | None] | None = None
    uploads: Uploads | None = None
    """The session, once the first file was sent."""

    def __call__(self, path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> str:
        """Send the file, with the audit's head and the day's report if the outbox has them.

        `name`: the file's name at the destination. The report is sent before it, so that everything is there once the
        file is. The audit's head is sent in a header field or, if that is set, in a file of its own just before the
        file. Raises what `network` raises; returns why the report was refused, or ''.
        """
        try:
            uploads = self.uploads = self.uploads or self.opened()
            identifier = path.parent.name  # the delivery's folder in the outbox: the same for all its attempts
            report = report_of(path)
            remark = _send_report(uploads, report, name, identifier, cancel) if report.exists() else ""
            head = head_in(path)
            if head and not uploads.take_along({AUDIT_HEADER: head}) and self.with_companion:
                beside, audit = companion(Path(name)).name, f"{identifier}-audit"
                _send_beside(uploads, companion(path), beside, audit, cancel)
            if self.with_checksum:
                _send_beside(uploads, checksum_file(path, name), f"{name}.sha256", f"{identifier}-sha256", cancel)
            if self.served is not None:
                uploads.leave_out(self.served(identifier))
            uploads.upload(path, name=name, identifier=identifier, progress=progress, cancel=cancel)
            if self.discard is not None:
                self.discard(uploads)
            return " ".join(filter(None, (remark, uploads.remark)))
        except Exception as error:
            fingerprint = unknown_host_key(error)
            if not fingerprint or self.trusted is None:
                raise
            opened, self.trusted = self.trusted(fingerprint), None  # asked again and again, people learn to say yes
            if opened is None:
                raise
        self.__exit__()
        self.opened = opened
        return self(path, name=name, progress=progress, cancel=cancel)

    def __exit__(self, *_failure: object) -> None:
        uploads, self.uploads = self.uploads, None
        if uploads is not None:
            uploads.close()


def _send_beside(uploads: Uploads, file: Path, name: str, identifier: str, cancel: threading.Event) -> None:
    """Send a companion of an extract: attached to it if the protocol can do that, otherwise as a file of its own."""
    if not uploads.attach(file, name):
        uploads.upload(file, name=name, identifier=identifier, cancel=cancel)


def _send_report(uploads: Uploads, report: Path, name: str, identifier: str, cancel: threading.Event) -> str:
    """Send the day's report that goes with an extract of that name; return why it was refused, or ''.

    If a service refuses reports, it still gets the extract. Temporary failures and refused logins are raised: the
    extract would fail in the same way.
    """
    try:
        _send_beside(uploads, report, report_of(Path(name)).name, report_identifier(identifier), cancel)
    except Cancelled:
        raise
    except Exception as error:
        if is_transient(error) or login_refused(error) or unknown_host_key(error):
            raise
        log.warning("the report %s was refused: %s", report.name, type(error).__name__)
        return f"The day's report wasn't taken there: {describe_failure(error)}"
    return ""
