"""What the name service says of mail domains, asked of a real name server."""

from __future__ import annotations

import threading

import pytest

from abq_data_entry.network import mail_probe
from abq_data_entry.network.guard import Guard
from abq_data_entry.network.mail_addresses import MailServer, Person, people
from abq_data_entry.network.mail_probe import domain_steps
from abq_data_entry.network.probing import Context, Inspection, Options, Step
from tests.network.name_server import name_server

pytestmark = pytest.mark.needs("network")

RECORDS = {
    ("plants.org", "MX"): ["20 second.plants.org.", "10 First.plants.org."],
    ("old.plants.org", "A"): ["192.0.2.1"],
    ("silent.org", "MX"): ["0 ."],
    ("empty.org", "TXT"): ['"nothing"'],
    ("xn--grn-ioa.org", "MX"): ["10 mx.plants.org."],
    ("_submission._tcp.plants.org", "SRV"): ["10 1 587 mail.plants.org.", "20 1 587 spare.plants.org."],
    ("_submissions._tcp.plants.org", "SRV"): ["0 0 0 ."],
}
SERVER = MailServer("mail.plants.org")


def steps_of(receivers: str, sender: str = "lab@lab.local", server: MailServer = SERVER) -> list[Step]:
    cancel = threading.Event()
    inspection = Inspection("mail server", Context({}, Options(), Guard(cancel, 10.0), cancel), "email")
    return domain_steps(inspection, people(receivers), Person("", sender), server)


def test_domains_of_receivers(monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server(monkeypatch, RECORDS):
        (step,) = steps_of("a@plants.org, b@old.plants.org, c@grün.org, c@Plants.org, d@intern, e@lab.local")
        assert (step.what, step.verdict, step.advice, step.kind) == ("Receivers", "ok", "", "email")
        assert step.text == (
            "mail for plants.org is taken by first.plants.org, second.plants.org; mail for old.plants.org is taken by"
            " old.plants.org; mail for xn--grn-ioa.org is taken by mx.plants.org"
        )
        (step,) = steps_of("a@silent.org, b@plnats.org, c@empty.org, d@plants.org")
        assert step.verdict == "warning" and "written correctly" in step.advice
        assert step.text == (
            "silent.org takes no mail; plnats.org isn't known to the name service; empty.org isn't known to the name"
            " service; mail for plants.org is taken by first.plants.org, second.plants.org"
        )
        assert steps_of("a@intern, b@lab.local") == []


def test_where_the_sender_s_domain_says_that_mail_is_handed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    with name_server(monkeypatch, RECORDS):
        (step,) = steps_of("a@intern", "lab@plants.org")
        assert (step.what, step.verdict, step.advice) == ("Service", "ok", "")
        assert step.text == "plants.org names mail.plants.org:587, spare.plants.org:587 for handing in mail"
        (step,) = steps_of("a@intern", "lab@plants.org", MailServer("relay.plants.org", 465))
        assert step.advice == "Mail is handed in at relay.plants.org:465 by the settings: ask which one is meant."
        assert steps_of("a@intern", "lab@old.plants.org") == []


def test_a_name_service_that_says_nothing_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_probe, "SECONDS", 0.3)
    with name_server(monkeypatch, RECORDS, silent=True):
        (step,) = steps_of("a@plants.org, b@silent.org", "lab@plants.org")
        assert (step.verdict, step.text) == ("ok", "the name service didn't answer for plants.org, silent.org")
