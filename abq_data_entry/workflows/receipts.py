"""Receivers' answers: read from the mailbox, kept in the database, and taken in by the outbox that sent the file.

Which delivery an answer is about, and what it may change:

- A Message-ID of ours in In-Reply-To, References or a mail that came back says it exactly. Nobody can guess one, but
  whoever got the mail has it: so the answer counts from those who got it, from `abq_answers_from` and from mail servers
  that tell what couldn't be delivered.
- A file's name together with its SHA-256, or the file itself, from `abq_answers_from` or who got the mail.
- What is from somebody else is shown with the delivery if it has a Message-ID of ours, and changes nothing.
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
"""Characters of a refusal that become the reason of a delivery; all of it stands with its answers."""

REFUSED_SECONDS = 3000.0
"""How many seconds unattended runs leave a refused login alone."""
_SALT = 16  # bytes

OTHERS_SECONDS = 20.0
"""How many seconds to wait for another workstation that is reading the mailbox."""


class Read(NamedTuple):
    """What came of looking into the mailbox: how many mails were new, how many answers in them, and why some couldn't
    be read."""

    mails: int = 0
    answers: int = 0
    unreadable: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """All of it in one line, for people."""
        unreadable = f", {len(self.unreadable)} that can't be read" if self.unreadable else ""
        return f"New mails: {self.mails}, answers to deliveries: {self.answers}{unreadable}"


def account(values: Values, login: tuple[str, str]) -> Account:
    """The mailbox of the settings, with this login. Raises `InvalidInput` where none is set, or it can't be used."""
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
) -> Read:
    """Read what is new in the mailbox, and keep the answers in the database.

    Another workstation that reads it just now is waited for, though not for long: two who read it at once only do some
    of the work twice, and nobody may keep all others from reading. Raises `InvalidInput`, `MailboxFailed` and what the
    network raises, and `DatabaseError`.
    """
    box = account(values, login)
    values = {**values, STORED: model.get_destinations()}
    limit, canceled = time.monotonic() + OTHERS_SECONDS, cancel or threading.Event()
    while True:
        with model.mailbox_alone() as is_ours:
            if is_ours or canceled.is_set() or time.monotonic() >= limit:
                try:
                    return _read(model, values, box, cancel)
                except OSError as error:
                    if outbox.login_refused(error):
                        _note_refusal(box)
                    raise
        canceled.wait(0.5)


def refused_lately(values: Values, login: tuple[str, str]) -> bool:
    """Whether the mailbox refused this login within the hour: more of the same might lock the account.

    Raises `InvalidInput` where no mailbox is set.
    """
    file, box = _refusal_file(), account(values, login)
    try:
        age, content = time.time() - file.stat().st_mtime, file.read_bytes()
    except OSError:
        return False
    return 0 <= age < REFUSED_SECONDS and content == _marked(box, content[:_SALT])


def _note_refusal(box: Account) -> None:
    with suppress(OSError), folders.replacement(_refusal_file()) as temporary:
        temporary.write_bytes(_marked(box, os.urandom(_SALT)))


def _marked(box: Account, salt: bytes) -> bytes:
    """Return a digest by which a login is recognised, but can't be found out."""
    text = "\0".join((box.address.place, box.username, box.password))
    return salt + hashlib.scrypt(text.encode(), salt=salt, n=2**14, r=8, p=1)


def _refusal_file() -> Path:
    return folders.data_folder() / "mailbox-refused"


def _read(model: SQLModel, values: Values, box: Account, cancel: threading.Event | None) -> Read:
    from ..network.mailbox import new_mails

    mailbox = f"{box.address.name} {box.username}"
    mails, answers, unreadable = 0, 0, list[str]()
    for name, content in new_mails(box, lambda names: model.known_mails(mailbox, names), cancel):
        mails += 1
        rows, problem = ([], "the server didn't give it") if content is None else _rows(model, values, content)
        try:
            if content is not None:  # else it is asked for again with the next look
                answers += model.keep_answers(mailbox, name, rows)
        except DatabaseError as error:
            if type(error) is not DatabaseError:  # no server, no rights: that isn't because of this mail
                raise
            problem = "the database didn't take it yet"  # the others are read all the same
        if problem:
            log.warning("a mail of the mailbox of answers wasn't read: %s", problem)
            unreadable.append(problem)
    return Read(mails, answers, tuple(unreadable))


def _rows(model: SQLModel, values: Values, content: bytes) -> tuple[list[dict[str, object]], str]:
    """The receipts that a mail makes, and why it can't be read, as the end of a sentence."""
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
        for identifier, verdict in meant(answer, found, values).items()
    ], ""


def meant(answer: Answer, found: Sequence[Answered], values: Values) -> dict[str, str]:
    """Which of these deliveries an answer is about, and what it says of each (`accepted`, `refused`, `answer`)."""
    from ..network.mailbox_message import ANSWER

    ours = {each.identifier: each for each in found}
    meant = dict[str, str]()
    for sent in answer.answers:
        delivery = ours.get(sent.identifier)
        if delivery is not None and delivery.sha256.startswith(sent.digest):
            counts = answer.is_report or _may_answer(answer, delivery, values)
            meant[delivery.identifier] = answer.verdict if counts else ANSWER
    if meant:
        return meant
    named = [
        each for each in found
        if each.sha256 in answer.digests and answer.mentions(_names(each, values)) and _may_answer(answer, each, values)
    ]  # fmt: skip
    latest = {(each.destination, each.file_name): each for each in sorted(named, key=lambda each: each.version)}
    return {each.identifier: answer.verdict for each in latest.values()}


def _may_answer(answer: Answer, delivery: Answered, values: Values) -> bool:
    """Whether the sender is one whose answers count: named in the settings, or who got this mail."""
    texts = [str(values["abq_answers_from"])]
    if delivery.destination.partition(":")[0] == "email":
        texts.append(delivery.address)
    senders = set[str]()
    for text in texts:
        with suppress(ValueError):  # empty, or a slip in the setting: nobody more counts
            senders |= {each.address.lower() for each in people(text)}
    return answer.sender in senders


def _names(delivery: Answered, values: Values) -> re.Pattern[str]:
    """What the file is called here, or at its destination."""
    pattern = EXTRACT_NAME
    if is_known(delivery.destination):
        pattern = str(destination(delivery.destination).own(values).get("abq_upload_name", pattern))
    there = re.escape(pattern).replace(r"\{date\}", f"{delivery.date:%Y-%m-%d}").replace(r"\{lab\}", r"[\w%-]+")
    return re.compile(f"(?<![\\w.-])(?:{re.escape(delivery.file_name)}|{there})(?![\\w-])")


def take_in(box: Outbox, model: SQLModel) -> list[Delivery]:
    """Let this outbox hear what was answered to its deliveries; return those that are open again.

    What was refused has failed, with the receiver's words, and a person decides what is sent; of what it wasn't known
    whether it arrived, an acceptance says so. Raises `DatabaseError`, `OutboxError` and `OSError`.
    """
    known = {each.identifier: each for each in box.deliveries() if not _is_under_way(each)}
    reopened, heard = list["Delivery"](), list["Receipt"]()
    for receipt in model.get_receipts([*known], unsettled=True):
        delivery = known.get(receipt.delivery)
        if delivery is None:
            continue
        try:
            present = _heard(box, delivery, receipt)
        except outbox.OutboxError as error:  # another process is at it, or it has changed: the next look finds it so
            log.info("an answer isn't taken in yet: %s", type(error).__name__)
            del known[receipt.delivery]
            continue
        heard.append(receipt)
        if present.state == "failed" and delivery.state != "failed":
            reopened.append(present)
        known[receipt.delivery] = present
    if heard:
        model.settle_receipts(heard)
        outbox.record(box, model)
    return reopened


def _is_under_way(delivery: Delivery) -> bool:
    """Whether an answer has to wait until it is known how it ends: it is being sent, or some receivers have it already.

    What failed, or waits for all of them, has been dealt with: an earlier refusal must not end a later attempt.
    """
    return delivery.state == "sending" or (delivery.state == "waiting" and bool(delivery.served))


def _heard(box: Outbox, delivery: Delivery, receipt: Receipt) -> Delivery:
    """Apply an answer to a delivery; return the delivery as it is then. Raises `OutboxError`."""
    if receipt.verdict == "refused" and delivery.state in ("delivered", "unknown"):
        return outbox.reopen(box, delivery, _reason(receipt))
    if receipt.verdict == "accepted" and delivery.state == "unknown":
        return outbox.arrived(box, delivery)
    return delivery


def _reason(receipt: Receipt) -> str:
    """What to do, then why: the words may be long, and a list or a dialog shows the beginning."""
    said = receipt.line if len(receipt.line) <= LONGEST_REASON else f"{receipt.line[:LONGEST_REASON]}…"
    return f"Send the day again when it is corrected. {said}"


ROUND = 120.0
"""Seconds after which a wait for news begins anew: the connection to the database would else be taken for idle, and
with it the lock would be lost."""

PAUSE = 2.0
"""Seconds between news and the next look at what is there."""


def watch_mailbox(
    model: SQLModel, values: Values, login: tuple[str, str], told: threading.Event, cancel: threading.Event
) -> bool:
    """Wait for news of the mailbox until `cancel`, and set `told` each time; one workstation does that.

    Returns False where another one does, or the server tells no news. Raises what `read_mailbox` raises.
    """
    from ..network.mailbox import logged_in

    box = account(values, login)
    mailbox = f"{box.address.name} {box.username}"
    with model.mailbox_watched() as is_ours:
        if not is_ours:
            return False
        with logged_in(box, cancel) as session:
            if not session.tells_news:
                return False
            while not cancel.is_set():
                names = [each.name for each in session.listed()]
                if set(names) - model.known_mails(mailbox, names):
                    told.set()
                if session.wait(ROUND):
                    cancel.wait(PAUSE)  # a server may have news all the time
    return True
