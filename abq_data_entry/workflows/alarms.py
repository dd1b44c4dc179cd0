"""Check once which alarms have begun or ended, and send the notices that are due, each from one workstation."""

from __future__ import annotations

import datetime
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..models.alarms import AUDIT, FAILED, SENDING, TOLD, UNKNOWN, DueNotice, Finding
from ..models.errors import DatabaseError, ServerUnreachable
from ..retrying import ALARM
from ..stored_destination import STORED
from .alarm_notices import CannotSend, FindLogin, SendMessage, alarm_message, message_sender
from .back_up import database_file
from .local_findings import local_findings

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.auditing import Verdict
    from ..models.undoing import By

log = logging.getLogger(__name__)

Values = Mapping[str, object]
_VERIFIED_FOR = 23.5 * 3600  # seconds; less than a day, so that a daily timer always verifies
_LONG_PAUSE = 3600.0  # seconds, after a permanent refusal: somebody may correct the cause


class AlarmsChecked(NamedTuple):
    """How many alarms have begun or ended, sentences about the notices sent, and about those that couldn't be sent."""

    changed: int = 0
    sent: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def look(
    model: SQLModel, values: Values, find_login: FindLogin, by: By, cancel: threading.Event | None = None,
    found: Sequence[Finding] = (),
) -> AlarmsChecked:  # fmt: skip
    """Check for alarms and send the notices that are due; while another workstation is sending, only the overdue ones.

    `found`: additional findings, such as that of `audit_finding`. Raises `DatabaseError`.
    """
    with model.try_alarm_lock() as is_ours:
        now = datetime.datetime.now(datetime.timezone.utc)
        here = [*local_findings(values, now, _created_at(model)), *found]
        changed, held = 0, list[str]()
        try:
            changed = model.look_for_alarms(here, by=by)  # always: only this workstation knows `here`
        except ServerUnreachable:
            raise
        except DatabaseError as error:  # somebody keeps a transaction open; notices of known alarms are still sent
            held.append(f"Not all of what began and ended is known: {error}")
        # Whoever holds the lock may be frozen or malicious: overdue notices are sent without it, still only once each.
        due = [each for each in model.due_notices() if is_ours or each.overdue]
        sent, problems = _send_due(model, due, values, find_login, by, cancel)
    return AlarmsChecked(changed, tuple(sent), (*held, *problems))


def audit_finding(verdict: Verdict) -> Finding:
    """Return the result of a verification of the audit as a finding for alarms."""
    if verdict.breaks:
        where = "; ".join(f"lab {each.lab}: {each.reason}" for each in verdict.breaks[:3])
        return Finding(AUDIT, "", f"The audit is broken ({where}). `db verify` says more.")
    if verdict.findings:
        return Finding(AUDIT, "", f"The audit may have been bypassed: {' '.join(verdict.findings[:3])}")
    return Finding(AUDIT, "", "", "`db verify` finds it intact")


def verified(model: SQLModel, values: Values, wanted: bool | None = None) -> list[Finding]:
    """Verify the audit and return the finding. `wanted`: False returns none; None verifies at most once a day here."""
    if not (_verifies_now(values) if wanted is None else wanted):
        return []
    found = audit_finding(model.verify_audit())
    with suppress(OSError):
        _verified_file(values).touch()
    return [found]


def _verifies_now(values: Values) -> bool:
    try:
        age = time.time() - _verified_file(values).stat().st_mtime
    except OSError:
        return True
    return not 0 <= age < _VERIFIED_FOR


def _verified_file(values: Values) -> Path:
    return database_file("audit-verified", values)


def _created_at(model: SQLModel) -> datetime.datetime | None:
    """Return when the database was created."""
    ((first,),) = (row.values() for row in model.query("SELECT min(applied) AS first FROM schema_version") or ())
    return first if isinstance(first, datetime.datetime) else None


def _send_due(
    model: SQLModel, due: Sequence[DueNotice], values: Values, find_login: FindLogin, by: By,
    cancel: threading.Event | None,
) -> tuple[list[str], list[str]]:  # fmt: skip
    sent, problems = list[str](), list[str]()
    if not due:
        return sent, problems
    values = {**values, STORED: model.get_destinations()}
    receivers = model.get_receivers()
    for name in dict.fromkeys(each.receiver for each in due):
        row = receivers.get(name)
        if row is None:  # it has just been removed
            continue
        try:
            with message_sender(row, values, find_login) as send:
                for each in (each for each in due if each.receiver == name):
                    if cancel is not None and cancel.is_set():
                        return sent, problems
                    if not _send_notice(model, each, send, by, cancel, sent, problems):
                        break  # the server doesn't answer: the other notices wait for the next time
        except CannotSend as error:
            problems.append(f"{name} can't be told from here: {error}")
    return sent, problems


def _send_notice(
    model: SQLModel, due: DueNotice, send: SendMessage, by: By, cancel: threading.Event | None, sent: list[str],
    problems: list[str],
) -> bool:  # fmt: skip
    """Send one notice, unless another workstation does; return whether the next one is worth trying."""
    from .. import outbox
    from ..network.failures import Cancelled, describe_failure

    try:
        if not model.take_notice(due, by=by):
            return True
    except ServerUnreachable:
        raise
    except DatabaseError as error:  # an open transaction has locked its row: the other notices are sent
        problems.append(f"Alarm {due.alarm.id} to {due.receiver}: {error}")
        return True
    message = alarm_message(due)

    def sending() -> None:
        if not model.note_notice(due, SENDING, by=by):
            raise CannotSend("another workstation sends it.")

    try:
        response = send(message, sending, cancel)
    except CannotSend:
        return True
    except DatabaseError:  # raised by `sending`, so nothing was sent
        raise
    except Exception as error:
        reason = describe_failure(error)
        is_later = isinstance(error, Cancelled) or outbox.is_transient(error)
        pause = ALARM.pause(due.attempts + 1, 1.0) if is_later else _LONG_PAUSE
        wanted = outbox.retry_after(error, datetime.datetime.now(datetime.timezone.utc))
        pause = max(pause, wanted or 0.0)
        became = UNKNOWN if outbox.outcome_unknown(error) else FAILED
        model.note_notice(due, became, reason, pause, getattr(error, "served", ()), by=by)
        log.warning("alarm %s wasn't told to %s: %s", due.alarm.id, due.receiver, type(error).__name__)
        problems.append(f"Alarm {due.alarm.id} to {due.receiver}: {reason}")
        return not is_later
    model.note_notice(due, TOLD, response, by=by)
    log.info("alarm %s (%s) was told to %s", due.alarm.id, due.about, due.receiver)
    sent.append(f"{due.receiver} was told: {message.subject}" + (f" ({response})" if response else ""))
    return True
