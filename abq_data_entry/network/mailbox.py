"""The mailbox that the company's answers come to: opened by IMAP4 or POP3, and what is new in it."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from . import encryption
from .guard import Guard
from .mailbox_address import MailboxAddress
from .mailbox_imap import ImapMailbox, Listed
from .mailbox_line import Line, MailboxFailed, MailTooLarge
from .mailbox_pop3 import Pop3Mailbox

Session = ImapMailbox | Pop3Mailbox
MOST_AT_ONCE = 200
"""Mails that are read in one go; the others come with the next."""
MOST_REFUSED = 10
"""Mails that the server may fail to give in one go; with more of them it is the server."""
LONGEST_READ = 600.0
"""Seconds after which no further mail is begun in one go."""


class Account(NamedTuple):
    """Where the mailbox is, and who logs in there. `timeout`: seconds of silence. Not to be shown."""

    address: MailboxAddress
    username: str
    password: str
    ca_file: str | None = None
    timeout: float = 60.0


def opened(address: MailboxAddress, guard: Guard, ca_file: str | None) -> Session:
    """Return a connection that is ready for a login. Raises `UserFacingError`s and `OSError`."""
    context = None if address.security == "none" else encryption.verified_context(ca_file)
    try:
        return _opened(address, guard, context)
    except ssl.SSLCertVerificationError as error:
        refused = error
    except ssl.SSLError:
        refused = None
    if refused is None:
        raise MailboxFailed(f"No secure connection to {address.host} could be made. Check abq_answers_mailbox.")
    raise encryption.refusal(refused, address.host, lambda: _certificate_of(address, guard))


def _opened(address: MailboxAddress, guard: Guard, context: ssl.SSLContext | None) -> Session:
    line = Line(address, guard, context)
    session = ImapMailbox(line) if address.protocol == "imap" else Pop3Mailbox(line)
    try:
        line.open()
        session.open()
    except BaseException:
        line.close()
        raise
    return session


def _certificate_of(address: MailboxAddress, guard: Guard) -> bytes | None:
    """Connect once more, and look at the certificate that was refused."""
    session = _opened(address, guard, encryption.unverified_context())
    try:
        connection = session.line.socket
        return connection.getpeercert(True) if isinstance(connection, ssl.SSLSocket) else None
    finally:
        session.leave(politely=False)


@contextlib.contextmanager
def logged_in(account: Account, cancel: threading.Event | None = None) -> Iterator[Session]:
    """A connection after its login, for a block. Raises `MailboxFailed` and what `Guard` raises."""
    with Guard(cancel, account.timeout) as guard:
        session: Session | None = None
        failure: BaseException | None = None
        try:
            session = opened(account.address, guard, account.ca_file)
            session.log_in(account.username, account.password)
            yield session
            session.leave()
        except (OSError, ValueError) as error:
            failure = guard.verdict() or _in_words(error, account.address)
        finally:
            if session is not None:
                session.leave(politely=False)
        if failure is not None:
            raise failure.with_traceback(None) from None


def _in_words(error: BaseException, address: MailboxAddress) -> BaseException:
    from .failures import UserFacingError

    if isinstance(error, UserFacingError):
        return error
    return MailboxFailed(f"{address.host} cut the connection. It is tried again.", transient=True)


def new_mails(
    account: Account, known: Callable[[Sequence[str]], Collection[str]], cancel: threading.Event | None = None
) -> Iterator[tuple[str, bytes | None]]:
    """The mails whose names aren't known, each with its name, the oldest first; empty what can't be read, and None what
    the server doesn't give at the moment: one damaged mail mustn't keep all after it.

    `known(names)` returns those of these names that are. Raises what `logged_in` raises.
    """
    left: list[Listed] | None = None
    limit, refused = time.monotonic() + LONGEST_READ, 0
    while left is None or (left and time.monotonic() < limit):
        with logged_in(account, cancel) as session:
            listed = session.listed()
            wanted = None if left is None else {each.name for each in left}
            before = known([each.name for each in listed]) if wanted is None else ()
            left = [each for each in listed if (each.name in wanted if wanted is not None else each.name not in before)]
            left = left[:MOST_AT_ONCE]
            while left:
                mail = left.pop(0)
                try:
                    content = session.fetched(mail)
                except MailTooLarge:  # with that the connection is lost, and only this mail
                    yield mail.name, b""
                    break
                except OSError:  # Dovecot ends the connection with that
                    refused += 1
                    if refused > MOST_REFUSED or (cancel is not None and cancel.is_set()):
                        raise
                    yield mail.name, None
                    break
                yield mail.name, content
                if time.monotonic() >= limit:
                    return
