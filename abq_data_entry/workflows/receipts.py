"""Receivers' answers: read from the mailbox, stored in the database, and applied to the outbox that sent the file.

Which delivery an answer is about, and whether it may change it:

- One of our Message-IDs in In-Reply-To, in References or in a returned mail identifies the delivery. Nobody can guess
  one, but all receivers of the mail know it: so the answer counts if it is from one of them, from an address in
  `abq_answers_from`, or a delivery status notification of a mail server (RFC 3464).
- A file's name together with its SHA-256, or the file itself, if the answer is from `abq_answers_from` or a receiver.
- An answer from anybody else with one of our Message-IDs is shown with the delivery, and changes nothing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from .. import folders, outbox
from ..constants import EXTRACT_NAME
from ..models.errors import DatabaseError
from ..network.destinations import destination, is_known
from ..network.mail_addresses import configured_mailbox, people
from ..stored_destination import STORED

if TYPE_CHECKING:
    from ..models import SQLModel
    from ..models.destinations import Answered, Receipt
    from ..network.mailbox import Account
    from ..network.mailbox_message import Answer
    from ..outbox import Delivery, Outbox

log = logging.getLogger(__name__)

Values = Mapping[str, object]


LONGEST_REASON = 800
"""How many characters of a refusal become the delivery's reason; the whole text is stored with its answers."""

REFUSED_SECONDS = 3000.0
"""How many seconds unattended runs wait before they use a refused login again."""
_SALT = 16  # bytes

OTHERS_SECONDS = 20.0
"""How many seconds to wait for another workstation that is reading the mailbox."""


class MailboxRead(NamedTuple):
    """How many mails in the mailbox were new, how many answers they had, and why some couldn't be read."""

    mails: int = 0
    answers: int = 0
    unreadable: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """The counts in one line, for people."""
        unreadable = f", {len(self.unreadable)} that can't be read" if self.unreadable else ""
        return f"New mails: {self.mails}, answers to deliveries: {self.answers}{unreadable}"


def account(values: Values, login: tuple[str, str]) -> Account:
    """Return the mailbox that the settings name, with this login. Raises `InvalidInput` if it is missing or invalid."""
    from ..network.failures import InvalidInput
    from ..network.mailbox import Account

    address = configured_mailbox(values)
    if address is None:
        what = "is empty" if not values["abq_answers_mailbox"] else "is no mailbox"
        raise InvalidInput(f"The setting 'abq_answers_mailbox' {what}: no answers are read.")
    ca_file = str(values["abq_ca_file"]) or None
    return Account(address, *login, ca_file, float(str(values["network_timeout"])))


def read_mailbox(
    model: SQLModel, values: Values, login: tuple[str, str], cancel: threading.Event | None = None
) -> MailboxRead:
    """Read new mails in the mailbox, and store the answers in the database.

    If another workstation is reading it, wait for that one, but not for long: reading it twice does no harm, and nobody
    may block all others. Raises `InvalidInput`, `MailboxFailed`, what the network raises, and `DatabaseError`.
    """
    box = account(values, login)
    values = {**values, STORED: model.get_destinations()}
    limit, canceled = time.monotonic() + OTHERS_SECONDS, cancel or threading.Event()
    while True:
        with model.try_mailbox_lock() as is_ours:
            if is_ours or canceled.is_set() or time.monotonic() >= limit:
                try:
                    return _read(model, values, box, cancel)
                except OSError as error:
                    if outbox.login_refused(error):
                        _note_refusal(box)
                    raise
        canceled.wait(0.5)


def refused_lately(values: Values, login: tuple[str, str]) -> bool:
    """Return whether the mailbox refused this login within the hour: more attempts might lock the account.

    Raises `InvalidInput` if no mailbox is set.
    """
    file, box = _refusal_file(), account(values, login)
    try:
        age, content = time.time() - file.stat().st_mtime, file.read_bytes()
    except OSError:
        return False
    return 0 <= age < REFUSED_SECONDS and content == _digest(box, content[:_SALT])


def _note_refusal(box: Account) -> None:
    with suppress(OSError), folders.replacement(_refusal_file()) as temporary:
        temporary.write_bytes(_digest(box, os.urandom(_SALT)))


def _digest(box: Account, salt: bytes) -> bytes:
    """Return a salted digest of the login, from which it can be recognized but not recovered."""
    text = "\0".join((box.address.place, box.username, box.password))
    return salt + hashlib.scrypt(text.encode(), salt=salt, n=2**14, r=8, p=1)


def _refusal_file() -> Path:
    return folders.data_folder() / "mailbox-refused"


def _read(model: SQLModel, values: Values, box: Account, cancel: threading.Event | None) -> MailboxRead:
    from ..network.mailbox import new_mails

    mailbox = f"{box.address.name} {box.username}"
    mails, answers, unreadable = 0, 0, list[str]()
    for name, content in new_mails(box, lambda names: model.known_mails(mailbox, names), cancel):
        mails += 1
        rows, problem = ([], "the server didn't give it") if content is None else _rows(model, values, content)
        try:
            if content is not None:  # otherwise it is fetched again next time
                answers += model.keep_answers(mailbox, name, rows)
        except DatabaseError as error:
            if type(error) is not DatabaseError:  # no server, no privileges: not because of this mail
                raise
            problem = "the database didn't take it yet"  # go on with the others
        if problem:
            log.warning("a mail of the mailbox of answers wasn't read: %s", problem)
            unreadable.append(problem)
    return MailboxRead(mails, answers, tuple(unreadable))


def _rows(model: SQLModel, values: Values, content: bytes) -> tuple[list[dict[str, object]], str]:
    """Return the receipts in a mail, and why it can't be read, as the end of a sentence ('' if it can)."""
    from ..network.mailbox_message import Unreadable, read_answer

    try:
        answer = read_answer(content)
    except Unreadable as error:
        return [], str(error)
    found = model.find_answered([each.identifier for each in answer.answers], answer.digests)
    return [
        {
            "delivery": identifier,
            "digest": answer.digest,
            "sender": answer.sender,
            "message_id": answer.message_id,
            "verdict": verdict,
            "words": answer.words,
        }
        for identifier, verdict in verdicts_of(answer, found, values).items()
    ], ""


def verdicts_of(answer: Answer, found: Sequence[Answered], values: Values) -> dict[str, str]:
    """Return the deliveries that an answer is about, by identifier, and its verdict: `accepted`, `refused` or
    `answer`."""
    from ..network.mailbox_message import ANSWER

    ours = {each.identifier: each for each in found}
    verdicts_of = dict[str, str]()
    for sent in answer.answers:
        delivery = ours.get(sent.identifier)
        if delivery is not None and delivery.sha256.startswith(sent.digest):
            counts = answer.is_report or _may_answer(answer, delivery, values)
            verdicts_of[delivery.identifier] = answer.verdict if counts else ANSWER
    if verdicts_of:
        return verdicts_of
    named = [
        each for each in found
        if each.sha256 in answer.digests and answer.mentions(_names(each, values)) and _may_answer(answer, each, values)
    ]  # fmt: skip
    latest = {(each.destination, each.file_name): each for each in sorted(named, key=lambda each: each.version)}
    return {each.identifier: answer.verdict for each in latest.values()}


def _may_answer(answer: Answer, delivery: Answered, values: Values) -> bool:
    """Return whether the sender's answers count: the settings name it, or it received this mail."""
    texts = [str(values["abq_answers_from"])]
    if delivery.destination.partition(":")[0] == "email":
        texts.append(delivery.address)
    senders = set[str]()
    for text in texts:
        with suppress(ValueError):  # the setting is empty or invalid: nobody else counts
            senders |= {each.address.lower() for each in people(text)}
    return answer.sender in senders


def _names(delivery: Answered, values: Values) -> re.Pattern[str]:
    """Return a pattern for the file's name here or at its destination."""
    pattern = EXTRACT_NAME
    if is_known(delivery.destination):
        pattern = str(destination(delivery.destination).own(values).get("abq_upload_name", pattern))
    there = re.escape(pattern).replace(r"\{date\}", f"{delivery.date:%Y-%m-%d}").replace(r"\{lab\}", r"[\w%-]+")
    return re.compile(f"(?<![\\w.-])(?:{re.escape(delivery.file_name)}|{there})(?![\\w-])")


def apply_answers(box: Outbox, model: SQLModel) -> list[Delivery]:
    """Apply stored answers to the deliveries of this outbox; return those that are open again.

    A refused delivery is marked as failed, with the receiver's words; a person decides whether to send it again. One in
    the state unknown that was accepted is marked as arrived. Raises `DatabaseError`, `OutboxError` and `OSError`.
    """
    known = {each.identifier: each for each in box.deliveries() if not _is_under_way(each)}
    reopened, heard = list["Delivery"](), list["Receipt"]()
    for receipt in model.get_receipts([*known], unsettled=True):
        delivery = known.get(receipt.delivery)
        if delivery is None:
            continue
        try:
            current = _apply(box, delivery, receipt)
        except outbox.OutboxError as error:  # another process is working on it, or has changed it: done next time
            log.info("an answer isn't taken in yet: %s", type(error).__name__)
            del known[receipt.delivery]
            continue
        heard.append(receipt)
        if current.state == "failed" and delivery.state != "failed":
            reopened.append(current)
        known[receipt.delivery] = current
    if heard:
        model.settle_receipts(heard)
        outbox.record(box, model)
    return reopened


def _is_under_way(delivery: Delivery) -> bool:
    """Return whether an answer has to wait for the delivery's end: it is being sent, or only some receivers have it.

    One that has failed, or waits for all receivers, isn't under way: an earlier refusal must not end a later attempt.
    """
    return delivery.state == "sending" or (delivery.state == "waiting" and bool(delivery.served))


def _apply(box: Outbox, delivery: Delivery, receipt: Receipt) -> Delivery:
    """Apply an answer to a delivery; return the delivery as it is afterwards. Raises `OutboxError`."""
    if receipt.verdict == "refused" and delivery.state in ("delivered", "unknown"):
        return outbox.reopen(box, delivery, _reason(receipt))
    if receipt.verdict == "accepted" and delivery.state == "unknown":
        return outbox.arrived(box, delivery)
    return delivery


def _reason(receipt: Receipt) -> str:
    """Return what to do, then why: the receiver's words may be long, and lists and dialogs show only the beginning."""
    answer = receipt.line if len(receipt.line) <= LONGEST_REASON else f"{receipt.line[:LONGEST_REASON]}…"
    return f"Send the day again when it is corrected. {answer}"


ROUND = 120.0
"""Seconds after which a wait for new mail begins again. A longer one would let the database connection be closed as
idle, which would release the lock."""

PAUSE = 2.0
"""Seconds between a notification of new mail and the next wait."""


def watch_mailbox(
    model: SQLModel, values: Values, login: tuple[str, str], new_mail: threading.Event, cancel: threading.Event
) -> bool:
    """Wait for new mail until `cancel` is set, and set `new_mail` each time; only one workstation does that.

    Return False if another one does, or the server has no IDLE (RFC 2177). Raises what `read_mailbox` raises.
    """
    from ..network.mailbox import logged_in

    box = account(values, login)
    mailbox = f"{box.address.name} {box.username}"
    with model.try_mailbox_watch() as is_ours:
        if not is_ours:
            return False
        with logged_in(box, cancel) as session:
            if not session.reports_new_mail:
                return False
            while not cancel.is_set():
                names = [each.name for each in session.list_mails()]
                if set(names) - model.known_mails(mailbox, names):
                    new_mail.set()
                if session.wait(ROUND):
                    cancel.wait(PAUSE)  # a server may send notifications all the time
    return True
