"""A real name server on loopback that knows a few records; all names it isn't told of don't exist."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

Records = Mapping[tuple[str, str], list[str]]
"""By name and kind of record: what it says; an empty list: the name exists, but not with that kind."""


@contextmanager
def name_server(monkeypatch: pytest.MonkeyPatch, records: Records, silent: bool = False) -> Iterator[None]:
    """Have this process ask a server with these records; `silent`: it hears the questions and answers none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], server.getsockname()[1]
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        thread = threading.Thread(target=_serve, args=(server, records, silent))
        thread.start()
        try:
            yield
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
                ender.sendto(b"", server.getsockname())
            thread.join()


def _serve(server: socket.socket, records: Records, silent: bool) -> None:
    while True:
        question, asker = server.recvfrom(4096)
        if not question:
            return
        if not silent:
            server.sendto(_answer(dns.message.from_wire(question), records).to_wire(), asker)


def _answer(question: dns.message.Message, records: Records) -> dns.message.Message:
    answer = dns.message.make_response(question)
    answer.flags |= dns.flags.RA
    (asked,) = question.question
    name, kind = str(asked.name).rstrip("."), str(asked.rdtype.name)
    if found := records.get((name, kind)):
        answer.answer.append(dns.rrset.from_text(asked.name, 60, "IN", kind, *found))
    elif name not in {known for known, _ in records}:
        answer.set_rcode(dns.rcode.NXDOMAIN)
    return answer
