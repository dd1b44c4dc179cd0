"""The mail server: the way to it, its encryption, what it can; a login, and whether it takes mail, only if wanted."""

from __future__ import annotations

from . import probing
from .destination import Destination
from .mail import MailLogin, MailSession, opened
from .mail_addresses import MailServer, on_the_wire, people
from .probing import Context, Inspection, Result, Step, Steps, shown, usable

_PLAIN = "Names, passwords and files can be read on the way. Ask for encryption; the setting is abq_mail_security."
_TOLD = ("size", "auth", "8bitmime", "smtputf8")


def probe(destination: Destination, server: MailServer, context: Context) -> Steps[None]:
    """Check the server. The test of writing asks whether each receiver is taken, and sends nothing."""
    settings = context.settings
    inspection = Inspection(f"mail server {server.place}", context, destination.kind)
    yield from usable(inspection, destination.problem(settings))
    addresses = yield from probing.name(inspection, server.host, server.port)
    yield from probing.port(inspection, server.host, server.port, addresses)
    ca_file = str(settings["abq_ca_file"]) or None
    session = yield from inspection.step("Greeting", lambda: _greeted(opened(server, context.guard, ca_file)))
    try:
        yield from probing.encryption_of(inspection, session.sock, server.host, ca_file, _PLAIN)
        can = [each.upper() for each in _TOLD if session.has_extn(each)]
        yield inspection.note("Abilities", f"it reports {', '.join(can)}" if can else "it reports none (EHLO)")
        yield from _domains(inspection, server)
        login = yield from inspection.login(destination.kind)
        if login is None:
            return
        yield from inspection.step("Login", lambda: _log_in(session, MailLogin(*login)))
        if context.wanted.write:
            yield from inspection.step("Write test", lambda: _receivers(session, context))
    finally:
        session.leave(politely=True)


def _domains(inspection: Inspection, server: MailServer) -> list[Step]:
    from .mail_domains import domain_steps  # what asks the name service is large

    settings = inspection.context.settings
    sender = people(str(settings["abq_mail_from"]))[0]
    return domain_steps(inspection, people(str(settings["abq_mail_to"])), sender, server)


def _greeted(session: MailSession) -> Result[MailSession]:
    return Result(session, f"“{shown(session.greeting)}”")


def _log_in(session: MailSession, login: MailLogin) -> Result[None]:
    return Result(None, f"{login.username} is logged in" if session.log_in(login) else "the server wanted no login")


def _receivers(session: MailSession, context: Context) -> Result[None]:
    session.mail(on_the_wire(people(str(context.settings["abq_mail_from"]))[0].address))
    refused = list[str]()
    receivers = people(str(context.settings["abq_mail_to"]))
    for each in receivers:
        code, said = session.rcpt(on_the_wire(each.address))
        if code not in (250, 251):
            refused.append(f"{each.address} ({code} {shown(said.decode('utf-8', 'replace'))})")
    session.rset()
    taken = len(receivers) - len(refused)
    advice = f"Refused: {'; '.join(refused)}. Correct the address, or ask who has it." if refused else ""
    return Result(None, f"{taken} of {len(receivers)} receivers are taken; nothing was sent", advice)
