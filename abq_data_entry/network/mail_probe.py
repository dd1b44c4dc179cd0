"""The check of the mail server: connection, TLS, extensions; a login, and whether it accepts mail, only if wanted.

And the DNS records of the receivers' and the sender's domains.
Sources: RFC 5321 (5.1: without MX records the domain's own address takes their place), RFC 7505 (a domain that takes
no mail), RFC 6186 and RFC 8314 (SRV records: where mail is handed in), RFC 6761 and RFC 6762 (names not asked for).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import NamedTuple

import dns.exception
import dns.resolver

from . import probing
from .destination import Destination
from .failures import GREETING, on_one_line
from .guard import Check, call_abandonable
from .mail import MailLogin, MailSession, open_session
from .mail_addresses import MailServer, Person, on_the_wire, people
from .probing import OK, WARNING, Context, Inspection, Result, Step, Steps, usable

_PLAIN = "Names, passwords and files can be read on the way. Ask for encryption; the setting is abq_mail_security."
_TOLD = ("size", "auth", "8bitmime", "smtputf8")


def probe(destination: Destination, server: MailServer, context: Context) -> Steps[None]:
    """Check the server. The write test asks whether each receiver is accepted (RCPT), and sends nothing."""
    settings = context.settings
    inspection = Inspection(f"mail server {server.place}", context, destination.kind)
    yield from usable(inspection, destination.problem(settings))
    addresses = yield from probing.name(inspection, server.host, server.port)
    yield from probing.port(inspection, server.host, server.port, addresses)
    ca_file = str(settings["abq_ca_file"]) or None
    session = yield from inspection.step("Greeting", lambda: _greeting(open_session(server, context.guard, ca_file)))
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

    settings = inspection.context.settings
    sender = people(str(settings["abq_mail_from"]))[0]
    return domain_steps(inspection, people(str(settings["abq_mail_to"])), sender, server)


def _greeting(session: MailSession) -> Result[MailSession]:
    return Result(session, f"“{on_one_line(session.greeting, GREETING)}”")


def _log_in(session: MailSession, login: MailLogin) -> Result[None]:
    return Result(None, f"{login.username} is logged in" if session.log_in(login) else "the server required no login")


def _receivers(session: MailSession, context: Context) -> Result[None]:
    session.mail(on_the_wire(people(str(context.settings["abq_mail_from"]))[0].address))
    refused = list[str]()
    receivers = people(str(context.settings["abq_mail_to"]))
    for each in receivers:
        code, said = session.rcpt(on_the_wire(each.address))
        if code not in (250, 251):
            refused.append(f"{each.address} ({code} {on_one_line(said.decode('utf-8', 'replace'))})")
    session.rset()
    taken = len(receivers) - len(refused)
    advice = f"Refused: {'; '.join(refused)}. Correct the address, or ask who has it." if refused else ""
    return Result(None, f"{taken} of {len(receivers)} receivers are taken; nothing was sent", advice)


SECONDS = 5.0
"""The time limit of the name service for all domains together, in seconds."""

_MOST_SHOWN = 4
_LOCAL = ("localhost", "test", "invalid", "example", "local", "internal", "home.arpa")
_SUBMISSION = ("_submissions._tcp", "_submission._tcp")  # TLS from the beginning first, as RFC 8314 wants it


class DomainUnknown(Exception):
    """There is no such domain, or it has neither mail exchangers nor an address."""


class Answers(NamedTuple):
    """What was found: texts in order, and those that somebody should look at; `unasked`: had no answer in time."""

    found: list[str]
    wrong: list[str]
    unasked: list[str]


def mail_exchangers(domain: str, seconds: float) -> list[str]:
    """Return the mail exchangers of the domain, preferred ones first; empty: it accepts no mail (null MX).

    Raises `DomainUnknown`, and `dns.exception.DNSException` if no server answers within `seconds`.
    """
    try:
        answer = dns.resolver.resolve(domain, "MX", lifetime=seconds)
    except dns.resolver.NXDOMAIN:
        raise DomainUnknown from None
    except dns.resolver.NoAnswer:
        if not any(_has_address(domain, kind, seconds) for kind in ("A", "AAAA")):
            raise DomainUnknown from None
        return [domain]
    hosts = [_text(each.exchange) for each in sorted(answer, key=lambda each: int(each.preference))]
    return [host for host in hosts if host]  # the root, ".", says that no mail is taken


def submission_servers(domain: str, seconds: float) -> list[tuple[str, int]]:
    """Return host and port of the domain's submission servers (SRV), preferred ones first.

    Raises `dns.exception.DNSException` if no server answers within `seconds`.
    """
    found = list[tuple[str, int]]()
    for service in _SUBMISSION:
        try:
            answer = dns.resolver.resolve(f"{service}.{domain}", "SRV", lifetime=seconds)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            continue
        rows = sorted(answer, key=lambda each: (int(each.priority), -int(each.weight)))
        found += [(_text(each.target), int(each.port)) for each in rows if _text(each.target)]
    return found


def domain_steps(inspection: Inspection, receivers: Iterable[Person], sender: Person, server: MailServer) -> list[Step]:
    """Return what the name service says of the receivers' domains (MX) and of the sender's mail servers (SRV).

    A domain of the local network isn't asked for, and nothing here is a failure: the mail server knows its own way.
    """

    def step(what: str, verdict: str, text: str, advice: str = "") -> Step:
        return Step(inspection.destination, what, verdict, text, None, advice, inspection.kind)

    steps = list[Step]()
    domains = list(dict.fromkeys(filter(_is_public, map(_domain, receivers))))
    if domains:
        answers = call_abandonable(lambda: _exchanges(domains), _cancelled(inspection))
        verdict, advice = OK, ""
        if answers.wrong:
            verdict, advice = WARNING, "Look whether the receivers' addresses are written correctly."
        steps.append(step("Receivers", verdict, "; ".join(_short(answers)), advice))
    if _is_public(home := _domain(sender)):
        named = call_abandonable(lambda: _submission(home), _cancelled(inspection))
        if named:
            texts = ", ".join(f"{host}:{port}" for host, port in named[:_MOST_SHOWN])
            others = all(host != server.host.lower().rstrip(".") for host, _ in named)
            why = f"Mail is handed in at {server.place} by the settings: ask which one is meant." if others else ""
            steps.append(step("Service", OK, f"{home} names {texts} for handing in mail", why))
    return steps


def _exchanges(domains: list[str]) -> Answers:
    end, answers = time.monotonic() + SECONDS, Answers([], [], [])
    for domain in domains:
        try:
            hosts = mail_exchangers(domain, max(end - time.monotonic(), 0.01))
        except DomainUnknown:
            answers.wrong.append(f"{domain} isn't known to the name service")
        except dns.exception.DNSException:
            answers.unasked.append(domain)
        else:
            if hosts:
                answers.found.append(f"mail for {domain} is taken by {', '.join(hosts[:_MOST_SHOWN])}")
            else:
                answers.wrong.append(f"{domain} takes no mail")
    return answers


def _short(answers: Answers) -> list[str]:
    found, more = answers.found[:_MOST_SHOWN], len(answers.found) - _MOST_SHOWN
    texts = [*answers.wrong, *found, *([f"and for {more} more domains"] if more > 0 else [])]
    if answers.unasked:
        texts.append(f"the name service didn't answer for {', '.join(answers.unasked[:_MOST_SHOWN])}")
    return texts


def _submission(domain: str) -> list[tuple[str, int]]:
    try:
        return submission_servers(domain, SECONDS / 2)
    except dns.exception.DNSException:  # few domains have it: no answer means nothing
        return []


def _has_address(domain: str, kind: str, seconds: float) -> bool:
    try:
        return bool(dns.resolver.resolve(domain, kind, lifetime=seconds))
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return False


def _cancelled(inspection: Inspection) -> Check:
    return inspection.later(2 * SECONDS, "The name service didn't answer in time.")


def _domain(person: Person) -> str:
    return on_the_wire(person.address).rpartition("@")[2].lower().rstrip(".")


def _is_public(domain: str) -> bool:
    return "." in domain and not any(f".{domain}".endswith(f".{each}") for each in _LOCAL)


def _text(name: object) -> str:
    return str(name).lower().rstrip(".")
