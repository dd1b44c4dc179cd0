"""The database is told what became of each delivery: once, in the end, whatever happens between."""

from __future__ import annotations

from abq_data_entry.models import SQLModel
from abq_data_entry.outbox import Outbox, deliver, record
from tests.models.test_schema import Endpoint, run
from tests.outbox.conftest import DATE, FTP, NAME, REST, Clock, Extract, rewrite
from tests.outbox.test_sending import arriving, failing

STATES = "SELECT id::text, state, version, attempts, delivered IS NOT NULL, reason FROM deliveries ORDER BY created, id"


def test_each_state_is_recorded(box: Outbox, model: SQLModel, database: Endpoint, clock: Clock) -> None:
    first = box.add(Extract(), DATE, REST, "lab-a")
    number = f"{first.identifier[:8]}-{first.identifier[8:12]}-{first.identifier[12:16]}"
    number = f"{number}-{first.identifier[16:20]}-{first.identifier[20:]}"
    assert record(box, model) == "" and box.unrecorded() == []
    assert run(database, STATES) == [(number, "waiting", 1, 0, False, None)]
    deliver(box, first, failing(ConnectionResetError()))
    record(box, model)
    assert run(database, STATES) == [(number, "waiting", 1, 1, False, "The connection was cut. Try again.")]
    deliver(box, first, arriving)
    record(box, model)
    assert run(database, STATES) == [(number, "delivered", 1, 2, True, None)]
    clock.forward(minutes=1)
    second = box.add(Extract(), DATE, REST, "lab-a", model.latest_delivery(DATE, NAME, "rest"))
    record(box, model)
    assert second.version == 2
    assert [found[1:3] for found in run(database, STATES)] == [("delivered", 1), ("waiting", 2)]


def test_what_the_database_missed_is_recorded_later(box: Outbox, model: SQLModel, database: Endpoint) -> None:
    nowhere = SQLModel.at({**database, "host": str(box.folder)})
    first = box.add(Extract(), DATE, REST, "lab-a")
    assert record(box, nowhere) != ""
    deliver(box, first, arriving)
    box.add(Extract(), DATE, FTP, "lab-a")
    assert record(box, nowhere) != "" and len(box.unrecorded()) == 2
    again = Outbox(box.folder)
    assert record(again, model) == "" and again.unrecorded() == []
    assert {found[1] for found in run(database, STATES)} == {"delivered", "waiting"}


def test_recording_twice_is_recording_once(box: Outbox, model: SQLModel, database: Endpoint) -> None:
    """Killed between the row and the note of it, the next start writes the row again."""
    first = box.add(Extract(), DATE, REST, "lab-a")
    record(box, model)
    before = run(database, "SELECT * FROM deliveries")
    rewrite(box, "UPDATE deliveries SET recorded = 0")
    assert box.unrecorded() == [first]
    record(box, model)
    assert run(database, "SELECT * FROM deliveries") == before


def test_only_the_one_that_changed(box: Outbox, model: SQLModel, database: Endpoint) -> None:
    first, other = box.add(Extract(), DATE, REST, "lab-a"), box.add(Extract(), DATE, FTP, "lab-a")
    assert record(box, model, first) == "" and box.unrecorded() == [other]
    assert len(run(database, STATES)) == 1


def test_without_the_right_the_row_waits(box: Outbox, model: SQLModel, database: Endpoint) -> None:
    role = f"guest_of_{database['dbname']}"
    run(database, f"CREATE ROLE {role}")
    guest = SQLModel.at({**database, "options": f"-c role={role}"})
    try:
        box.add(Extract(), DATE, REST, "lab-a")
        assert "may not" in record(box, guest)
    finally:
        guest.close()
        run(database, f"DROP ROLE {role}")
    assert record(box, model) == ""


def test_nothing_secret_is_recorded(box: Outbox, model: SQLModel, database: Endpoint) -> None:
    first = box.add(Extract(), DATE, REST, "lab-a")
    deliver(box, first, failing(RuntimeError("password=Gr0undhog-Tuesday")))
    record(box, model)
    assert "Gr0undhog" not in str(run(database, "SELECT * FROM deliveries"))
