"""A day by BrAPI from the command line: by the table of destinations, the outbox and a real server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from abq_data_entry.models import SQLModel
from tests.commands.conftest import DAY, Outcome
from tests.fixtures.brapi_server import PASSWORD, USERNAME, brapi_server
from tests.models.records import record

Line = Callable[..., Outcome]


@pytest.mark.needs("network")
def test_a_day_is_sent_and_corrected_and_refused_values_are_reported(
    line: Line, one_record: None, stored: SQLModel
) -> None:
    with brapi_server() as server:
        assert line("destinations", "add", "breeding", "brapi", server.url, "--username", USERNAME).code == 0
        tested = line("destinations", "test", "breeding", "--password-stdin", stdin=f"{PASSWORD}\n")
        assert (tested.code, "is logged in, and reads observations" in tested.output) == (0, True), tested
        words = ("upload", "breeding", "--date", DAY, "--password-stdin")
        wrong = line(*words, stdin="felder 8\n")
        assert (wrong.code, "Incorrect Password" in wrong.errors, server.observations) == (1, True, [])
        assert line(*words, stdin=f"{PASSWORD}\n").code == 0
        values = server.values()
        assert values and len(server.observations) == len(values)
        assert {each["collector"] for each in server.observations} == {"J Simms"}

        stored.save_record(record(Plants=3), "update", expected_version=1, reason="slip")
        assert line(*words, stdin=f"{PASSWORD}\n").code == 0
        changed = {key: value for key, value in server.values().items() if values[key] != value}
        assert [(name, value) for (_, name), value in changed.items()] == [("Plants", "3")]
        assert len(server.observations) == len(values)

        server.refuses = lambda thing: "more plants than the plot holds" if thing["value"] == "5" else ""
        stored.save_record(record(Plants=5), "update", expected_version=2, reason="slip")
        refused = line(*words, stdin=f"{PASSWORD}\n")
        assert refused.code == 1
        assert f"1 of {len(values)} values couldn't be sent by BrAPI, the others are there." in refused.errors
        listed = line("deliveries")
        assert "more plants than the plot holds" in listed.output and "failed" in listed.output
