"""The mailbox of answers: the way to it, its encryption, what it can; a login and its folder, only if wanted."""

from __future__ import annotations

from . import probing
from .mailbox import Session, opened
from .mailbox_address import KIND, MailboxAddress, configured
from .probing import Context, Inspection, Result, Steps, shown

_PLAIN = "Names, passwords and mails can be read on the way. Ask for encryption; the setting is abq_answers_encrypted."
_TOLD = ("IDLE", "UIDL", "TOP", "AUTH=PLAIN", "SASL", "LOGINDISABLED")


def probe(context: Context) -> Steps[None]:
    """Check the mailbox; nothing in it is changed."""
    settings = context.settings
    address = configured(settings)
    if address is None:
        yield from Inspection("Mailbox of answers", context, KIND).fail(
            "Settings", "The setting 'abq_answers_mailbox' names no mailbox. No answers are read."
        )
        return
    inspection = Inspection(f"mailbox {address.name}", context, KIND)
    addresses = yield from probing.name(inspection, address.host, address.port)
    yield from probing.port(inspection, address.host, address.port, addresses)
    ca_file = str(settings["abq_ca_file"]) or None
    session = yield from inspection.step("Greeting", lambda: _greeted(opened(address, context.guard, ca_file)))
    try:
        yield from probing.encryption_of(inspection, session.line.socket, address.host, ca_file, _PLAIN)
        login = yield from inspection.login(KIND)
        if login is not None:
            yield from inspection.step("Login", lambda: _log_in(session, *login))
            yield from inspection.step("Folder", lambda: _looked(session, address))
        can = [each for each in _TOLD if each in session.abilities]
        news = "it tells news by itself (IDLE)" if session.tells_news else "it is looked into once an hour"
        yield inspection.note("Abilities", f"it reports {', '.join(can) or 'none of use'}; {news}")
    finally:
        session.leave()


def _greeted(session: Session) -> Result[Session]:
    return Result(session, f"“{shown(session.greeting)}”")


def _log_in(session: Session, username: str, password: str) -> Result[None]:
    session.log_in(username, password)
    return Result(None, f"{username} is logged in")


def _looked(session: Session, address: MailboxAddress) -> Result[None]:
    count = len(session.listed())
    where = address.folder if address.protocol == "imap" else "the mailbox"
    return Result(None, f"{where} can be read; mails that are looked at: {count}")
