"""Plots that are claimed: nobody with a login keeps others from it, sends them away, or speaks for them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from abq_data_entry.models import SQLModel, schema
from tests.fixtures.cluster import Node
from tests.models.logins import NOBODY, login, run
from tests.models.records import DATE, record
from tests.pace import patience

CHECK = (DATE, "8:00", "A")
AT_ONCE = 3.0  # seconds, on a busy machine; a lock_timeout is 8


@pytest.fixture
def technician(node: Node) -> dict[str, str]:
    return login(node, "abq_technician")


@pytest.fixture
def model(technician: dict[str, str]) -> Iterator[SQLModel]:
    with closing(SQLModel.at(technician)) as made:
        yield made


def held(stack: ExitStack, endpoint: dict[str, str], *statements: str) -> list[Connection]:
    """A connection in a transaction for each statement that the login is allowed."""
    kept = []
    for statement in statements:
        connection = stack.enter_context(closing(psycopg2.connect(make_dsn(**endpoint, options="-c lock_timeout=1s"))))
        try:
            connection.cursor().execute(statement)
            kept.append(connection)
        except psycopg2.Error:
            connection.close()
    return kept


# Names that locks had, or could be thought to have, in every way that they can be taken.
GUESSES = [
    "SELECT pg_advisory_lock(hashtext('a plot of a check'), hashtext(concat_ws(' ', day::date, hour::time, lab)))"
    " FROM generate_series(DATE '2026-11-20', DATE '2026-11-22', '1 day') AS day,"
    " unnest(ARRAY['8:00', '12:00', '16:00', '20:00']::time[]) AS hour, unnest(ARRAY['A', 'B', 'C', 'D', 'E']) AS lab",
    "SELECT pg_advisory_lock(hashtext('abq_data_entry schema')), pg_advisory_lock(hashtext('abq_data_entry')),"
    " pg_advisory_lock(hashtext('a plot of a check'))",
    "SELECT pg_advisory_lock(hashtext('abq_data_entry lab'), ascii(lab)), pg_advisory_lock(hashtext('abq_data_entry"
    " lab'), hashtext(lab)) FROM unnest(ARRAY['A', 'B', 'C', 'D', 'E']) AS lab",
    "SELECT pg_advisory_lock(oid::bigint) FROM pg_class WHERE relnamespace = 'public'::regnamespace",
    "SELECT pg_advisory_lock(number) FROM generate_series(-300, 300) AS number",
    "SELECT pg_advisory_lock(one, other) FROM generate_series(0, 20) AS one, generate_series(0, 20) AS other",
    # What a window holds at the moment, to have it when the window's connection is lost.
    "SELECT pg_advisory_lock_shared(lease) FROM public.check_presence",
]


@pytest.mark.parametrize("role", [NOBODY, "abq_qa"])
def test_a_login_that_holds_every_lock_it_can_stops_nobody(node: Node, technician: dict[str, str], role: str) -> None:
    tables = [f"LOCK TABLE {name} IN {mode} MODE" for name in ("check_presence", "plots", "labs", "local_weather")
              for mode in ("ROW EXCLUSIVE", "ACCESS EXCLUSIVE")]  # fmt: skip
    with ExitStack() as stack:
        taken = held(stack, login(node, role), *GUESSES, *tables)
        assert len(taken) >= len(GUESSES) - 1
        begun = time.monotonic()
        with closing(SQLModel.at(technician)) as model:
            assert model.claim_plot(*CHECK, 7, "J Simms")
            assert model.claim_next_plot(*CHECK, [8, 9]) == 8
            model.save_record(record(Plot=7))
            model.leave_check()
        assert time.monotonic() - begun < patience(AT_ONCE)
        schema.prepare(node.endpoint())
        node.execute("DROP DATABASE IF EXISTS fresh")
        node.execute("CREATE DATABASE fresh TEMPLATE template0 ENCODING 'UTF8'")
        begun = time.monotonic()
        with ExitStack() as there:
            held(there, {**login(node, role), "dbname": "fresh"}, *GUESSES[1:4])
            schema.prepare(node.endpoint("fresh"))
        assert time.monotonic() - begun < patience(4 * AT_ONCE)  # the whole schema is made meanwhile


def test_a_technician_of_the_same_lab_can_hold_a_claim_and_then_has_that_plot(
    node: Node, technician: dict[str, str], model: SQLModel
) -> None:
    """Who may enter there may claim; who makes others wait for it is taken to have the plot, after a second."""
    claim = "SELECT claim_plot('word', '{}', '8:00', 'A', {}, 'P Taylor', 'bench')"
    tables = [f"LOCK TABLE {name} IN {mode} MODE" for name in ("check_presence", "plots", "labs", "local_weather")
              for mode in ("SHARE", "ACCESS EXCLUSIVE")]  # fmt: skip
    with ExitStack() as stack:
        kept = held(stack, technician, claim.format(DATE, 11), *GUESSES, *tables,
                    "SELECT FROM check_presence FOR UPDATE", "SELECT FROM plots FOR UPDATE")  # fmt: skip
        assert len(kept) == 1 + len(GUESSES)
        begun = time.monotonic()
        assert not model.claim_plot(*CHECK, 11, "J Simms")
        assert model.claim_plot(*CHECK, 12, "J Simms")
        assert model.claim_next_plot(*CHECK, [11, 13]) == 13
        assert time.monotonic() - begun < patience(AT_ONCE)


def test_nobody_takes_another_window_s_plot_from_it(node: Node, technician: dict[str, str], model: SQLModel) -> None:
    with closing(SQLModel.at(technician)) as other:
        other.enter_check(*CHECK, 3, "P Taylor", "bench-2")
        (there,) = model.get_presence(*CHECK)
        ((lease,),) = run(technician, "SELECT lease FROM check_presence_view")
        for attempt in (
            f"DELETE FROM check_presence WHERE lease = {lease}",
            f"UPDATE check_presence SET plot = NULL WHERE lease = {lease}",
            "INSERT INTO check_presence (lease, date, time, lab_id, plot) VALUES (1, '2026-11-21', '8:00', 'A', 4)",
            "SELECT is_claimed(1, '2026-11-21', '8:00', 'A', 4)",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                run(technician, attempt)
        run(technician, f"SELECT leave_check('{lease}'), leave_check('')")
        assert model.get_presence(*CHECK) == [there]


def test_nobody_keeps_somebody_there_who_has_gone(technician: dict[str, str], model: SQLModel) -> None:
    """By the lock of the one who has gone, say; and whoever comes back isn't taken for somebody else."""
    other = SQLModel.at(technician)
    other.enter_check(*CHECK, 3, "P Taylor", "bench-2")
    ((lease, process),) = run(technician, "SELECT lease, process FROM check_presence JOIN check_presence_view"
                                          " USING (lease)")  # fmt: skip
    with closing(psycopg2.connect(make_dsn(**technician))) as hostile, hostile.cursor() as cursor:
        hostile.autocommit = True
        with closing(psycopg2.connect(make_dsn(**technician))) as ending:
            ending.cursor().execute("SELECT pg_terminate_backend(%s)", [process])
        cursor.execute("SELECT pg_advisory_lock(%s)", [lease])
        assert model.get_presence(*CHECK) == []
        begun = time.monotonic()
        assert other.claim_plot(*CHECK, 3, "P Taylor")
        assert time.monotonic() - begun < patience(AT_ONCE)
        assert [each.plot for each in model.get_presence(*CHECK)] == [3]
        cursor.execute("SELECT count(*) FROM check_presence WHERE lease = %s", [lease])
        assert cursor.fetchall() == [(0,)]
    other.close()


def test_where_labs_are_kept_apart_nobody_enters_another_lab(node: Node, technician: dict[str, str]) -> None:
    schema.set_labs(node.endpoint(), "login_of_abq_technician", ["A"])
    schema.restrict_labs(node.endpoint(), True)
    try:
        for attempt in (
            "SELECT enter_check('word', '2026-11-21', '8:00', 'B', 1, 'P Taylor', '')",
            "SELECT claim_plot('word', '2026-11-21', '8:00', 'B', 1, 'P Taylor', '')",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="enter records of lab B"):
                run(technician, attempt)
        assert run(technician, "SELECT claim_next_plot('word', '2026-11-21', '8:00', 'B', '{1}')") == [(None,)]
        with ExitStack() as stack:
            held(stack, technician, "SELECT claim_plot('word', '2026-11-21', '8:00', 'B', 1, '', '')",
                 "SELECT claim_next_plot('word', '2026-11-21', '8:00', 'B', '{1}')")  # fmt: skip
            with closing(SQLModel.at(node.endpoint())) as owner:
                assert owner.claim_plot(DATE, "8:00", "B", 1, "J Simms")
                assert [each.plot for each in owner.get_presence(DATE, "8:00", "B")] == [1]
            with closing(SQLModel.at(technician)) as model:
                assert model.claim_plot(*CHECK, 1, "J Simms")
    finally:
        schema.restrict_labs(node.endpoint(), False)


def test_who_may_not_enter_records_claims_nothing(node: Node) -> None:
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        run(login(node, "abq_qa"), "SELECT claim_plot('word', '2026-11-21', '8:00', 'A', 1, '', '')")


def test_of_a_check_that_cannot_be_nobody_claims_a_plot(model: SQLModel) -> None:
    for date, clock, lab in (("no date", "8:00", "A"), (DATE, "8:30", "A"), (DATE, "8:00", "no lab")):
        model.enter_check(date, clock, lab, 3, "J Simms")
        assert model.claim_plot(date, clock, lab, 3, "J Simms") is False
        assert model.claim_next_plot(date, clock, lab, [3, 4]) is None
        assert model.get_presence(date, clock, lab) == []
