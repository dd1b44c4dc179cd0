"""What an error of psycopg2 means: whether the connection is gone, whether to wait, and in which words it is told."""

from __future__ import annotations

from types import SimpleNamespace

import psycopg2
import pytest

from abq_data_entry.models import (
    DatabaseError,
    PrivilegeMissing,
    QueryCancelled,
    RecordInvalid,
    SchemaMissing,
    ServerUnreachable,
)
from abq_data_entry.models import errors as failures
from abq_data_entry.models.errors import DatabaseDamaged, ServerNotReady, WindowOutdated, WritesRefused
from tests.models.test_first_words import WORDS

ENDPOINT = {"dbname": "trial", "user": "ada"}


def error(
    state: str | None, primary: str | None = None, hint: str | None = None, column: str | None = None
) -> psycopg2.Error:
    """One that the server sent, with this SQLSTATE."""

    class Sent(psycopg2.DatabaseError if state else psycopg2.Error):  # type: ignore[misc]
        pgcode = state
        diag = SimpleNamespace(message_primary=primary, message_hint=hint, column_name=column)

    return Sent("a statement with a password in it")


@pytest.mark.parametrize("said", WORDS)
def test_a_server_is_waited_for_that_will_take_a_connection_soon(said: str) -> None:
    for text in (said, said.upper()):
        assert failures.is_not_ready(psycopg2.OperationalError(text)) is (WORDS[said][0] is ServerNotReady)


@pytest.mark.parametrize(
    ("failure", "is_lost"),
    [
        (psycopg2.InterfaceError("closed"), True), (psycopg2.OperationalError("cut"), True),
        (psycopg2.DatabaseError("cut"), True), (error(None), False), (error("08006"), True), (error("57P01"), True),
        (error("25P03"), True), (error("57014"), False), (error("25P02"), False), (error("23505"), False),
    ],
)  # fmt: skip
def test_a_connection_is_gone(failure: psycopg2.Error, is_lost: bool) -> None:
    assert failures.is_lost(failure) is is_lost


@pytest.mark.parametrize(
    ("state", "kind", "words"),
    [
        ("AB004", WindowOutdated, "newer version"), ("42501", PrivilegeMissing, 'abq_technician TO "ada"'),
        ("42P01", SchemaMissing, "psql --dbname trial"), ("42703", SchemaMissing, "older version"),
        ("53100", WritesRefused, "disk of the database is full"), ("53300", ServerNotReady, "too many connections"),
        ("53200", WritesRefused, "out of memory"), ("57014", QueryCancelled, "was cancelled"),
        ("57P03", ServerUnreachable, "shutting down or starting"), ("55P03", DatabaseError, "didn't finish"),
        ("40001", DatabaseError, "at the same time"), ("25006", WritesRefused, "only be read"),
        ("25P03", ServerUnreachable, "idle"), ("08006", ServerUnreachable, "was lost"),
        ("22001", DatabaseError, "too long"), ("23514", DatabaseError, "one of its rules"),
        ("58030", DatabaseDamaged, "files are damaged"), ("XX001", DatabaseDamaged, "files are damaged"),
        ("99999", DatabaseError, "could not do that"),
    ],
)  # fmt: skip
def test_a_state_has_its_words(state: str, kind: type[DatabaseError], words: str) -> None:
    told = failures.describe_statement(error(state, "It failed.", "Try less."), ENDPOINT)
    assert type(told) is kind and words in str(told)
    assert told.detail == f"It failed. Try less. ({state})"
    assert failures.describe_statement(error(state), ENDPOINT).detail == state


def test_what_a_right_or_a_column_is_about() -> None:
    missing = failures.describe_statement(error("23502", "null value", column="fruit"), ENDPOINT)
    assert isinstance(missing, RecordInvalid) and missing.errors == {"fruit": "fruit is required."}
    assert type(failures.describe_statement(error("23502", "null value"), ENDPOINT)) is DatabaseError
    for primary, words in (
        ('new row violates row-level security policy for table "x"', "doesn't belong to that lab"),
        ("permission denied for table lab_techs", 'GRANT abq_supervisor TO "ada"'),
        ("permission denied for relation plots", 'GRANT abq_supervisor TO "ada"'),
        ("permission denied for table plots_of_mine", 'GRANT abq_technician TO "ada"'),
    ):
        told = failures.describe_statement(error("42501", primary), ENDPOINT)
        assert type(told) is PrivilegeMissing and words in str(told)
    assert type(failures.describe_statement(error("23514", "row-level security"), ENDPOINT)) is DatabaseError


def test_an_unknown_error_becomes_a_general_one() -> None:
    told = failures.describe_connection(psycopg2.OperationalError("nobody knows"), ENDPOINT)
    assert type(told) is ServerUnreachable and str(told) == "The database could not be reached."
    assert failures.describe_statement(error(None), ENDPOINT).detail == "the connection is closed"


@pytest.mark.parametrize(
    ("text", "shown"),
    [(" login with felder7 failed ", "login with *** failed"), ("felder77", "felder77"), ("xfelder7", "xfelder7"),
     ("(felder7)", "(***)")],
)  # fmt: skip
def test_a_password_is_blacked_out(text: str, shown: str) -> None:
    assert failures.without_secrets(text, {"password": "felder7"}) == shown
    assert failures.without_secrets(text, {}) == failures.without_secrets(text, {"password": ""}) == text.strip()
