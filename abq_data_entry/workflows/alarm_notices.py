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
Known = Callable[[str, str, str], "tuple[str, str] | None"]
"""The login that is kept here for a key such as `email:reports`, a user name (or '') and a place; None if none is."""

_MAIL_KIND = "email"
_USER = "webhook"  # under which the keyring has the secret of a webhook
_LONGEST_SUBJECT = 150


class Message(NamedTuple):
    """What a receiver is told: one line, the whole text, and the same for programs, with the key of this notice.
    `served`: the addresses that have got it already."""

    subject: str
    text: str
    content: Mapping[str, object]
    key: str
    served: Sequence[str] = ()


Tell = Callable[[Message, Callable[[], None], "threading.Event | None"], str]
"""Sends a message; returns the answer. The function is called just before the message may have arrived."""


class CannotTell(Exception):
    """This workstation can't tell that receiver anything; the text says why. Another one may."""


# -- what is said


def message_of(due: DueNotice) -> Message:
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
    """Return the idempotency key of a notice. It holds the moment, because a restore makes numbers start again."""
    return f"abq-{alarm.id}-{alarm.raised.timestamp():.0f}-{about}"


def _local(moment: datetime.datetime) -> str:
    return f"{moment.astimezone():%Y-%m-%d %H:%M %Z}"


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_SUBJECT else line[: _LONGEST_SUBJECT - 1] + "…"


# -- how it is told


@contextlib.contextmanager
def teller(row: Receiver, values: Values, known: Known) -> Iterator[Tell]:
    """Within the block messages can be sent to that receiver. Raises `CannotTell`."""
    from ..network.failures import InvalidInput

    try:
        if row.kind == MAIL:
            with _mailer(row, values, known) as (mailer, own):
                yield lambda message, sending, cancel: _by_mail(mailer, own, message, sending, cancel)
        else:
            webhook = _webhook(row, values, known)
            yield lambda message, sending, cancel: webhook.post(message.content, message.key, cancel)
    except InvalidInput as error:
        raise CannotTell(str(error)) from None


def _mailer(row: Receiver, values: Values, known: Known) -> contextlib.AbstractContextManager[tuple[Mailer, Values]]:
    email = destination(_MAIL_KIND)
    key, username, through = _MAIL_KIND, row.username, None
    if "://" in row.server:
        key = f"alarms:{row.name}"
        through = StoredDestination(row.name, _MAIL_KIND, row.address, row.server, username=username)
    elif row.server:
        stored = values[STORED]
        found = stored.get(f"{_MAIL_KIND}:{row.server}") if isinstance(stored, dict) else None
        if found is None:
            raise CannotTell(f"there is no destination {row.server} of the kind email any more.")
        key, through = found.key, found
        username = username or found.username
    own = {**values, **(email.settings_of(through) if through is not None else {}), "abq_mail_to": row.address}
    if "@" in username and not own["abq_mail_from"]:
        own["abq_mail_from"] = username
    if problem := email.problem(own):
        raise CannotTell(problem)
    login = known(key, username, email.login_place(own))
    if login is None and username:
        raise CannotTell(f"neither the keyring nor a file of secrets has the password of {username} ({key}).")
    from ..network.destinations.email import DESTINATION

    @contextlib.contextmanager
    def opened() -> Iterator[tuple[Mailer, Values]]:
        with DESTINATION.mailer(own, *(login or ("", ""))) as mailer:
            yield mailer, own

    return opened()


def _by_mail(
    mailer: Mailer, own: Values, message: Message, sending: Callable[[], None], cancel: threading.Event | None
) -> str:
    from ..network.destinations.email import DESTINATION
    from ..network.mail import Mail, message_id
    from ..network.mail_addresses import people

    sender = DESTINATION.sender(own)
    headers = {}
    if message.key.endswith("-end"):  # so that a mail program shows the two as one
        begun = message_id(message.key.removesuffix("-end") + f"-{BEGIN}", sender)
        headers = {"In-Reply-To": begun, "References": begun}
    receivers, served = people(str(own["abq_mail_to"])), frozenset(message.served)
    mail = Mail(sender, receivers, message.subject, message.text, message.key, headers=headers, served=served)

    def progress(part: float) -> None:
        if part == 1:  # told just before the end is sent
            sending()

    refused = mailer.send(mail, cancel, progress)
    return f"refused for {'; '.join(refused)}" if refused else ""


def _webhook(row: Receiver, values: Values, known: Known) -> Webhook:
    from ..network.webhook import Webhook

    secret = ""
    ca_file, timeout = str(values["abq_ca_file"]) or None, float(str(values["network_timeout"]))
    place = Webhook(row.address, timeout=timeout).place
    if row.login_method:
        found = known(f"alarms:{row.name}", _USER, place)
        if found is None:
            raise CannotTell(f"neither the keyring nor a file of secrets has its secret (alarms:{row.name}).")
        secret = found[1]
    return Webhook(
        row.address, row.login_method, secret, timeout=timeout, ca_file=ca_file, proxy=str(values["network_proxy"])
    )
