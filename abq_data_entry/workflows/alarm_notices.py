"""Notices about the beginning and the end of an alarm: their text, and how they are sent, by mail or by a webhook."""

from __future__ import annotations

import contextlib
import datetime
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from ..counting import one_line
from ..models.alarms import BEGIN, MAIL, Alarm, DueNotice, Receiver
from ..network.destinations import destination
from ..stored_destination import STORED, StoredDestination

if TYPE_CHECKING:
    from ..network.mail import Mailer
    from ..network.webhook import Webhook

Values = Mapping[str, object]
FindLogin = Callable[[str, str, str], "tuple[str, str] | None"]
"""(key, username, place) → the stored login for a key such as `email:reports`; None if there is none."""

_MAIL_KIND = "email"
_USER = "webhook"  # the user name under which the keyring has a webhook's secret
_LONGEST_SUBJECT = 150


class Message(NamedTuple):
    """A message to a receiver: the subject, the text, the same as JSON `content`, and its idempotency key.
    `served`: the addresses that already got it."""

    subject: str
    text: str
    content: Mapping[str, object]
    key: str
    served: Sequence[str] = ()


SendMessage = Callable[[Message, Callable[[], None], "threading.Event | None"], str]
"""(message, sending, cancel) → the server's response. `sending()` is called just before the message may arrive."""


class CannotSend(Exception):
    """This workstation can't send to that receiver, for the reason in the text. Another one may be able to."""


# -- the text of a notice


def alarm_message(due: DueNotice) -> Message:
    """Return the message about the beginning or the end of an alarm."""
    alarm = due.alarm
    is_begin = due.about == BEGIN
    sentence = alarm.line if is_begin else f"{alarm.line} Ended: {one_line(alarm.ended_words)}."
    head = f"ABQ alarm {alarm.id}" + ("" if is_begin else " ended")
    what = f"{head}: {alarm.kind}, {one_line(alarm.subject)}"
    if not is_begin:
        what = f"{what}: {one_line(alarm.ended_words)}"
    where = f", on {alarm.workstation}" if alarm.workstation else ""
    lines = [sentence, "", f"Found: {_local(alarm.raised)}{where}"]
    if alarm.ended is not None:
        lines.append(f"Ended: {_local(alarm.ended)}")
    else:
        lines.append(f"You are told when it ends. `alarms end {alarm.id}` ends it by hand.")
    key = key_of(alarm, due.about)
    content = {
        "key": key, "event": due.about, "alarm": alarm.id, "kind": alarm.kind, "subject": alarm.subject,
        "text": sentence, "lab": alarm.lab, "workstation": alarm.workstation or None,
        "raised": alarm.raised.isoformat(), "ended": alarm.ended and alarm.ended.isoformat(),
        "end": alarm.ended_words or None,
    }  # fmt: skip
    return Message(_cut(what), "\n".join(lines) + "\n", content, key, due.served)


def test_message(name: str, now: datetime.datetime) -> Message:
    """Return the message that tests whether a receiver can be reached."""
    text = "This is a test: nothing is wrong. Alarms of ABQ Data Entry reach you this way."
    key = f"abq-test-{name}-{now.timestamp():.0f}"
    return Message("ABQ alarm: a test", text + "\n", {"key": key, "event": "test", "text": text}, key)


def key_of(alarm: Alarm, about: str) -> str:
    """Return the idempotency key of a notice. It contains the time, because ids may be reused after a restore."""
    return f"abq-{alarm.id}-{alarm.raised.timestamp():.0f}-{about}"


def _local(moment: datetime.datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 1] + "…"


# -- sending a notice


@contextlib.contextmanager
def message_sender(row: Receiver, values: Values, find_login: FindLogin) -> Iterator[SendMessage]:
    """Yield a function that sends messages to that receiver. Raises `CannotSend` if this workstation can't."""
    from ..network.failures import InvalidInput

    try:
        if row.kind == MAIL:
            with _mailer(row, values, find_login) as (mailer, own):
                yield lambda message, sending, cancel: _send_mail(mailer, own, message, sending, cancel)
        else:
            webhook = _webhook(row, values, find_login)
            yield lambda message, sending, cancel: webhook.post(message.content, message.key, cancel)
    except InvalidInput as error:
        raise CannotSend(str(error)) from None


def _mailer(
    row: Receiver, values: Values, find_login: FindLogin
) -> contextlib.AbstractContextManager[tuple[Mailer, Values]]:
    email = destination(_MAIL_KIND)
    key, username, through = _MAIL_KIND, row.username, None
    if "://" in row.server:
        key = f"alarms:{row.name}"
        through = StoredDestination(row.name, _MAIL_KIND, row.address, row.server, username=username)
    elif row.server:
        stored = values[STORED]
        found = stored.get(f"{_MAIL_KIND}:{row.server}") if isinstance(stored, dict) else None
        if found is None:
            raise CannotSend(f"there is no destination {row.server} of the kind email any more.")
        key, through = found.key, found
        username = username or found.username
    own = {**values, **(email.settings_of(through) if through is not None else {}), "abq_mail_to": row.address}
    if "@" in username and not own["abq_mail_from"]:
        own["abq_mail_from"] = username
    if problem := email.problem(own):
        raise CannotSend(problem)
    login = find_login(key, username, email.login_place(own))
    if login is None and username:
        raise CannotSend(f"neither the keyring nor a file of secrets has the password of {username} ({key}).")
    from ..network.destinations.email import DESTINATION

    @contextlib.contextmanager
    def opened() -> Iterator[tuple[Mailer, Values]]:
        with DESTINATION.mailer(own, *(login or ("", ""))) as mailer:
            yield mailer, own

    return opened()


def _send_mail(
    mailer: Mailer, own: Values, message: Message, sending: Callable[[], None], cancel: threading.Event | None
) -> str:
    from ..network.destinations.email import DESTINATION
    from ..network.mail import Mail, message_id
    from ..network.mail_addresses import people

    sender = DESTINATION.sender(own)
    headers = {}
    if message.key.endswith("-end"):  # so that mail programs show both as one thread
        begun = message_id(message.key.removesuffix("-end") + f"-{BEGIN}", sender)
        headers = {"In-Reply-To": begun, "References": begun}
    receivers, served = people(str(own["abq_mail_to"])), frozenset(message.served)
    mail = Mail(sender, receivers, message.subject, message.text, message.key, headers=headers, served=served)

    def progress(part: float) -> None:
        if part == 1:  # reported just before the end of the data is sent
            sending()

    refused = mailer.send(mail, cancel, progress)
    return f"refused for {'; '.join(refused)}" if refused else ""


def _webhook(row: Receiver, values: Values, find_login: FindLogin) -> Webhook:
    from ..network.webhook import Webhook

    secret = ""
    ca_file, timeout = str(values["abq_ca_file"]) or None, float(str(values["network_timeout"]))
    place = Webhook(row.address, timeout=timeout).place
    if row.login_method:
        found = find_login(f"alarms:{row.name}", _USER, place)
        if found is None:
            raise CannotSend(f"neither the keyring nor a file of secrets has its secret (alarms:{row.name}).")
        secret = found[1]
    return Webhook(
        row.address, row.login_method, secret, timeout=timeout, ca_file=ca_file, proxy=str(values["network_proxy"])
    )
