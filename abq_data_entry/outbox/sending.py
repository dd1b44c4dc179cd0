"""One attempt at a delivery: the outbox says before it that it runs, and after it what became of it.

And several, one after the other: which are due, which share a login, and when to stop knocking. What sends them is
made here by the settings, for the window and the command line; what becomes of them is written into the database.
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
    """What brings a file to its destination under this name; raises what `network` raises.

    Returns what to know of it though it arrived, as a sentence, if there is anything.
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
    """Make one attempt; return the delivery as it is then, and the error if it wasn't delivered by this.

    A delivery that is delivered or cancelled already, or that a later version replaces, isn't sent. Raises `Busy` if
    another process is at it for longer than `patience` seconds, `UnknownDelivery`, `OSError` of the outbox itself, and
    what no program should catch (Ctrl-C), after which the delivery waits.
    """
    with outbox.lane(delivery, patience):
        is_whole = outbox.is_whole(delivery)  # reads the file: others would wait for the states meanwhile
        delivery, newer = outbox.begin(delivery, is_whole)
        if delivery.state in (*ENDED, UNKNOWN):
            return delivery, None
        if newer is not None:  # all versions have one name there: this one would take the place of the newer one
            return outbox.write(delivery, state=CANCELLED, planned=None, reason=replaced_text(newer)), None
        if not is_whole:
            error = OutboxError(_DAMAGED)
            return outbox.write(delivery, state=FAILED, planned=None, reason=_DAMAGED), error
        log.info("%s: attempt %d begins", _named(delivery), len(delivery.attempts))
        return _attempted(outbox, delivery, send, progress, cancel or threading.Event(), jitter)


def retry(outbox: Outbox, delivery: Delivery) -> Delivery:
    """Begin another round: due at once, however often it failed. Raises `OutboxError` if it is delivered or cancelled.

    Raises `Busy` while it is being sent.
    """
    present = outbox.change(delivery, UNFINISHED, state=WAITING, planned=None, since=outbox.clock(), failures=0)
    if present.state in ENDED:
        raise OutboxError(
            f"The delivery {present.short} is {present.state}, and its file isn't kept. Upload the day again."
        )
    return present


def cancel(outbox: Outbox, delivery: Delivery, reason: str = "Cancelled.") -> Delivery:
    """Never send it; its file is removed. Raises `Busy` while it is being sent, `OutboxError` if it is delivered."""
    present = outbox.change(delivery, UNFINISHED, state=CANCELLED, planned=None, reason=reason)
    if present.state == DELIVERED:
        raise OutboxError(f"The delivery {present.short} has arrived already.")
    return present


def arrived(outbox: Outbox, delivery: Delivery) -> Delivery:
    """Mark a delivery in the state unknown as arrived. Raises `Busy`, `OutboxError`."""
    changes = {"planned": None, "reason": _SAID_TO_HAVE_ARRIVED, "served": ()}
    present = outbox.change(delivery, (UNKNOWN,), state=DELIVERED, **changes)
    if present.state != DELIVERED:
        raise OutboxError(
            f"The delivery {present.short} is {present.state}: only one in the state unknown can be marked as arrived."
        )
    return present


def reopen(outbox: Outbox, delivery: Delivery, reason: str) -> Delivery:
    """Mark it as failed although it has, or may have, arrived: the receiver has refused it. Raises `Busy`."""
    return outbox.change(delivery, (DELIVERED, UNKNOWN), state=FAILED, planned=None, reason=reason)


def give_up(outbox: Outbox, delivery: Delivery, reason: str) -> Delivery:
    """Mark it as failed without sending it; a person may retry. Raises `Busy` while it is being sent."""
    return outbox.change(delivery, UNFINISHED, state=FAILED, planned=None, reason=reason)


def _attempted(
    outbox: Outbox,
    delivery: Delivery,
    send: Send,
    progress: Progress | None,
    cancel: threading.Event,
    jitter: Callable[[], float],
) -> tuple[Delivery, BaseException | None]:
    """Make the attempt that has begun, and write down how it ended."""
    began, sent = time.monotonic(), 0

    def noted(so_far: int, total: int) -> None:
        nonlocal sent, delivery
        sent = so_far
        if so_far == total and not destination(delivery.kind).repeatable and not delivery.may_have_arrived:
            # Before the server gets the end of it: whatever happens to this computer now, it isn't sent again.
            running = Attempt(delivery.attempts[-1].started, None, delivery.size)
            delivery = outbox.write(delivery, attempts=(*delivery.attempts[:-1], running))
        if progress is not None:
            progress(so_far, total)

    def ended(state: str, outcome: str, reason: str | None = None, **changes: object) -> Delivery:
        moved, outcome = delivery.size if state == DELIVERED else sent, storable(outcome)
        attempt = Attempt(delivery.attempts[-1].started, round(time.monotonic() - began, 3), moved, outcome)
        log.info("%s: %s", _named(delivery), state)
        others = {"planned": None, "reason": outcome if reason is None else reason, **changes}
        return outbox.write(delivery, state=state, attempts=(*delivery.attempts[:-1], attempt), **others)

    try:
        remark = send(outbox.file_of(delivery), name=delivery.sent_as, progress=noted, cancel=cancel)
    except Cancelled as error:
        return ended(CANCELLED, "Cancelled."), error
    except Exception as error:
        return _failed(outbox, delivery, error, jitter, ended), error
    except BaseException:  # somebody ended the program: that is no wish to cancel the delivery
        if delivery.may_have_arrived:
            ended(UNKNOWN, PERHAPS_ARRIVED)
        else:
            ended(WAITING, BROKEN_OFF)
        raise
    return ended(DELIVERED, "Delivered.", remark or "", served=()), None


def _failed(
    outbox: Outbox, delivery: Delivery, error: Exception, jitter: Callable[[], float], ended: Callable[..., Delivery]
) -> Delivery:
    """Write down a failure, and when the next attempt is due if that may help."""
    reason, failures = describe_failure(error), delivery.failures + 1
    ended = partial(ended, served=(*delivery.served, *served_by(error)))
    log.warning("%s: the attempt failed: %s", _named(delivery), type(error).__name__)
    if newer := outbox.replaced_by(delivery):  # put in while this one was being sent
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


def _named(delivery: Delivery) -> str:
    """Which version of which file goes where, for the log."""
    where = f"to {delivery.address} by {delivery.kind}"
    return f"delivery {delivery.short}, {delivery.name} version {delivery.version} {where}"


ENOUGH = 3
"""After this many temporary failures in a row, the rest waits for another time: the service isn't well."""


class Service(NamedTuple):
    """What a login is for."""

    kind: str
    address: str
    username: str


def due(outbox: Outbox) -> list[Delivery]:
    """Return what waits and whose time has come, the oldest first."""
    now = outbox.clock()
    return [
        each for each in outbox.deliveries() if each.state == WAITING and is_due(now, each.planned, each.changed)
    ]


def by_service(deliveries: Iterable[Delivery]) -> dict[Service, list[Delivery]]:
    """Return the deliveries that need the same login together, in their order."""
    found: dict[Service, list[Delivery]] = {}
    for each in deliveries:
        found.setdefault(Service(each.kind, each.address, each.username), []).append(each)
    return found


def go_through(
    outbox: Outbox, deliveries: Sequence[Delivery], attempt: Callable[[Delivery], BaseException | None]
) -> list[Delivery]:
    """Make one attempt at each delivery to one service; return those that were left for another time.

    `attempt` returns the failure, if there was one. The rest is left after the server has said when it wants to be
    asked again (and not before that), after `ENOUGH` failures in a row that may pass, and after a refused login (more
    of the same might lock the account) or an unknown host key.
    """
    in_a_row = 0
    with outbox.kept_open():
        for number, each in enumerate(deliveries, 1):
            error = attempt(each)
            # A file that is refused says nothing about the service: the next one may be taken. Nor does one receiver.
            is_unwell = error is not None and not served_by(error) and (is_transient(error) or outcome_unknown(error))
            in_a_row = in_a_row + 1 if is_unwell else 0
            if error is not None and in_a_row and retry_after(error, each.changed):
                return _postponed(outbox, each, deliveries[number:])
            if login_refused(error) or unknown_host_key(error) or in_a_row == ENOUGH:
                return list(deliveries[number:])
    return []


def _postponed(outbox: Outbox, failed: Delivery, deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Plan what waits for the same moment as the one that failed; for a day later if that was given up."""
    planned, moment = list[Delivery](), outbox.read(failed.identifier).planned
    moment = moment or outbox.clock() + datetime.timedelta(seconds=LIMIT)
    for each in deliveries:
        with suppress(Busy, UnknownDelivery):
            planned.append(outbox.change(each, (WAITING,), planned=moment))
    return [each for each in planned if each.state == WAITING]


# -- what the database is told: each state once, later if it can't be reached now

_AT_ONCE = 200


class Ledger(Protocol):
    """What is needed of the database; takes the same row twice, and an older one without effect."""

    def record_deliveries(self, rows: Sequence[Mapping[str, object]]) -> None: ...

    def latest_delivery(self, date: datetime.date, file_name: str, destination: str) -> int: ...


def record(outbox: Outbox, ledger: Ledger, only: Delivery | None = None) -> str:
    """Write what the database doesn't know yet; return the reason if it can't be done now, '' if all is written.

    `only`: a delivery that has just changed; the others are not looked at.
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
    """Return the highest version of a day's file that the database knows of, from any machine; 0 if it can't say.

    `name`: of the file, if it isn't an extract.
    """
    try:
        return ledger.latest_delivery(date, name or extract_name(date), kind)
    except DatabaseError as error:
        log.warning("versions of deliveries are not known: %s: %s", type(error).__name__, error.detail)
        return 0


def as_row(delivery: Delivery) -> dict[str, object]:
    """Return the columns of `deliveries` that this delivery has."""
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
    """Raise `SettingsUnusable` if the settings give no name that a file could have, or can't be used to send it."""
    if problem := name_problem(str(settings["abq_upload_name"])):
        raise SettingsUnusable(f"The setting 'abq_upload_name' {problem}. Nothing was sent.")
    if problem := destination(kind).problem(settings):
        raise SettingsUnusable(f"{problem} Nothing was sent.")


def require_same(place: Place, settings: Settings) -> None:
    """Raise `OutboxError` if the settings lead somewhere else by now: a login for here isn't sent there.

    And if its destination was removed. Raises `SettingsUnusable` if they lead nowhere: it isn't known then.
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
    """Return what brings files to their destination with this login; nothing else keeps the password.

    A context manager: it logs in for the first file, and keeps the connection for the others until the end. What
    cancelled deliveries of `outbox` left there is removed with the first file that arrives. `trusts(host,
    fingerprint)`: whether this is the key of a server that was never seen before; it is asked once.
    """
    to = destination(kind)

    def trusted(fingerprint: str) -> Callable[[], Uploads] | None:
        trust = to.trust(settings, fingerprint)
        if trust is None or trusts is None or not trusts(trust.host, fingerprint):
            return None
        # Written to the file of known hosts by the attempt that follows, which accepts no other.
        return partial(to.uploads, trust.settings, username, password)

    opened = partial(to.uploads, settings, username, password)
    discard = partial(outbox.discard_parts, to.place(settings)) if outbox is not None and to.keeps_parts else None
    own = to.own(settings)
    companions = bool(own["abq_audit_companion"]), bool(own.get("abq_sha256_companion"))
    # What may come twice replaces what came before: there everybody gets it at each attempt.
    served = None if outbox is None or to.repeatable else lambda identifier: outbox.read(identifier).served
    return Sender(opened, discard, *companions, served, trusted)


@dataclass(repr=False, eq=False)  # it holds the password
class Sender(AbstractContextManager["Sender"]):
    """What brings files to one destination over one login, one at a time (a `Send`). A context manager.

    `discard`: removes what cancelled deliveries left there; `served`: who has a delivery from an attempt before;
    `trusted`: what opens the way to a server whose key wasn't known, by its fingerprint, if it is to be trusted.
    """

    opened: Callable[[], Uploads]
    discard: Callable[[Uploads], object] | None = None
    with_companion: bool = False
    with_checksum: bool = False
    served: Callable[[str], Collection[str]] | None = None
    trusted: Callable[[str], Callable[[], Uploads] | None] | None = None
    uploads: Uploads | None = None
    """What the files go through, once there was one."""

    def __call__(self, path: Path, *, name: str, progress: Progress, cancel: threading.Event) -> str:
        """Send the file, with where the audit stood and the day's report if the outbox has them.

        `name`: what it is called there. The report goes before it, so that all is there once the file is. The audit's
        head goes in a header, or, where that is set, just before the file as a file of its own. Raises what `network`
        raises; returns why the report wasn't taken, empty if nothing is wrong.
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
            opened, self.trusted = self.trusted(fingerprint), None  # who is asked again and again learns to say yes
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
    """Send a companion of an extract: attached to it if the kind can do that, otherwise as a file of its own."""
    if not uploads.attach(file, name):
        uploads.upload(file, name=name, identifier=identifier, cancel=cancel)


def _send_report(uploads: Uploads, report: Path, name: str, identifier: str, cancel: threading.Event) -> str:
    """Send the day's report that goes with an extract of that name; return why it was refused.

    A service that takes no report gets the extract all the same. What may pass by itself, or concerns the login, is
    raised: the extract would fare no better.
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
