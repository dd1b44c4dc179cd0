"""Every command of the documents is typed as it is printed, in an empty home; what can't be is listed by name."""

from __future__ import annotations

import datetime
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel, schema
from abq_data_entry.postgres.connections import cursor_at
from benchmarks.command import parser as benchmarks_parser
from tests import programs as server_programs
from tests.fixtures.brapi_server import PASSWORD as BRAPI_PASSWORD
from tests.fixtures.brapi_server import USERNAME as BRAPI_USER
from tests.fixtures.brapi_server import BrapiServer, brapi_server
from tests.fixtures.cluster import Node
from tests.fixtures.servers import BundledServer
from tests.models.records import record
from tests.test_documents import ADMINISTRATORS, DOCUMENTS, ROOT, blocks, text_of

from . import listing
from .conftest import PASSWORD
from .home import Home

DAY = "2026-11-21"
AT_A_SERVER = (
    "createuser", "createdb", "psql --set", "ABQ_DB_USER=", "abq-data-entry db set-labs", "\\password",
    "abq-data-entry db restrict-labs", "abq-data-entry db grant jsimms", "ALTER ROLE", "GRANT", "REVOKE", "SELECT",
    "UPDATE",
    "abq-data-entry check --only database --login",
)  # fmt: skip
"""How those begin that need a server; all others are for the embedded database."""


def needs_server(command: str) -> bool:
    return command.startswith(AT_A_SERVER)


def typed() -> list[str]:
    """The commands that are typed here, in the order of the documents."""
    elsewhere = {
        command
        for document in DOCUMENTS
        if document.name in listing.DOCUMENTS_RUN_ELSEWHERE
        for block in blocks(document, "")
        for command in listing.commands_in(block)
    }
    skipped = {*listing.NOT_RUN, *listing.RUN_ELSEWHERE, *tried_small()}
    own = [command for document in DOCUMENTS if document.name not in listing.DOCUMENTS_RUN_ELSEWHERE
           for command in listing.commands_of(document)]  # fmt: skip
    return [each for each in listing.all_commands() if each not in skipped and (each in own or each not in elsewhere)]


def tried_small() -> list[str]:
    """Those that another file runs with sizes of its own, whatever their options are in the documents."""
    return [each for each in listing.all_commands() if each.startswith(tuple(listing.PROGRAMS_RUN_ELSEWHERE))]


# -- nothing slips through ------------------------------------------------------------------------------------


def test_the_lists_hold_only_what_the_documents_say() -> None:
    assert {*listing.NOT_RUN, *listing.RUN_ELSEWHERE} - set(listing.all_commands()) == set()
    assert not set(listing.NOT_RUN) & set(listing.RUN_ELSEWHERE)


def test_each_has_a_reason_or_a_file_that_runs_it() -> None:
    assert all(listing.NOT_RUN.values())
    elsewhere = (listing.RUN_ELSEWHERE, listing.PROGRAMS_RUN_ELSEWHERE, listing.DOCUMENTS_RUN_ELSEWHERE)
    files = {each for files in elsewhere for each in files.values()}
    assert not [each for each in files if not (ROOT / each).is_file()]


def test_the_options_of_the_benchmarks_exist() -> None:
    benchmarks = [each.split()[3:] for each in tried_small() if each.startswith("python3 -m benchmarks")]
    assert len(benchmarks) > 5
    for options in benchmarks:
        benchmarks_parser().parse_args(options)  # a wrong one ends the test with argparse's words


def test_statements_stand_only_in_documents_whose_statements_are_run() -> None:
    run = {
        "administrators.md": "here",
        "qa.md": "tests/test_qa_examples.py",
        "architecture.md": "tests/documents/recipes.py",
        **listing.DOCUMENTS_RUN_ELSEWHERE,
    }
    assert {document.name for document in DOCUMENTS if blocks(document, "sql")} <= set(run)


def test_every_block_is_of_a_kind_that_is_known() -> None:
    kinds = {kind for document in DOCUMENTS for kind in listing.kinds_of(document)}
    assert kinds <= set(listing.KINDS)


def test_lines_of_the_clock_have_absolute_paths() -> None:
    assert len(listing.timed()) >= 5
    for line in listing.timed():
        program = next(word for word in shlex.split(line) if "=" not in word)
        assert program.startswith("/"), line
    units = "\n".join(block for block in blocks(ADMINISTRATORS, "ini"))
    assert "ExecStart=/" in units


# -- with the embedded database -------------------------------------------------------------------------------


@pytest.fixture
def home(
    folder: Path, rest_server: BundledServer, ftp_server: BundledServer, weather_feed: BundledServer
) -> Iterator[Home]:
    """A home whose settings name the bundled servers."""
    with brapi_server() as breeding:
        made = _home(folder, rest_server, ftp_server, weather_feed, breeding)
        with made.program_once_loaded():
            yield made


def _home(
    folder: Path, rest_server: BundledServer, ftp_server: BundledServer, weather_feed: BundledServer,
    breeding: BrapiServer,
) -> Home:  # fmt: skip
    made = Home(folder / "home", {
        "/usr/local/bin/abq-data-entry": str(folder / "home/bin/abq-data-entry"),
        "python3 abq_data_entry.py": "abq-data-entry",
        "/etc/abq/rest-password": "password.txt",
        "--username lab-a": "--username test",
        "--username lab ": "--username test ",
        "/srv/company/plants": str(folder / "home/company"),
        "https://breedbase.abq.example/brapi/v2": breeding.url,
        '"ABQ 2026" --username lab': f'"ABQ 2026" --username {BRAPI_USER}',
        "brapi:breeding lab": f"brapi:breeding {BRAPI_USER}",
    })  # fmt: skip
    (made.folder / "password.txt").write_text("test\n", "utf-8")
    (made.folder / "company").mkdir()
    made.configure(
        weather_url=weather_feed.weather_url, abq_auth_url=rest_server.auth_url, abq_upload_url=rest_server.upload_url,
        abq_ftp_host=ftp_server.host, abq_ftp_port=ftp_server.port,
    )  # fmt: skip
    return made


def save(home: Home, date: str, *plots: int) -> None:
    """Save a record of 8:00 for each plot of lab A, as a window of that home does; what is there already stays."""
    server = postgres.start(home.data)
    server.create_database("abq")
    endpoint = server.endpoint("abq")
    schema.prepare(endpoint)
    model = SQLModel.at(endpoint)
    for plot in plots:
        if not model.get_record(date, "8:00", "A", plot):
            model.save_record(record(Plot=plot, Date=datetime.date.fromisoformat(date)))
    model.close()


def backup_of_the_day(home: Home) -> None:
    """The document restores the backup of a day."""
    (made,) = (home.data / "backups").glob("abq-20*.dump")
    target = home.data / f"backups/abq-{DAY}.dump"
    if made != target:
        target.write_bytes(made.read_bytes())


BEFORE: dict[str, Callable[[Home], None]] = {
    "upload rest": lambda home: save(home, datetime.date.today().isoformat(), 1, 2),
    "db withdraw": lambda home: save(home, DAY, 1, 2, 3),
    "db correct": lambda home: save(home, DAY, 1, 2, 3),
    "export --date": lambda home: save(home, DAY, 1, 2, 3),
    "--put-aside": backup_of_the_day,
}
"""What has to be there before the command that holds the text."""
QUERY = "SELECT count(*) FROM data_record_view;\n"
ANSWERS = {'psql "$(abq-data-entry db dsn)"': QUERY, 'psql "$(python3 abq_data_entry.py db dsn)"': QUERY,
           "keyring set abq-data-entry:rest lab-a": "test\n",
           "keyring set abq-data-entry:brapi:breeding lab": f"{BRAPI_PASSWORD}\n"}  # fmt: skip
"""What is typed when they ask."""


@pytest.mark.takes(30)
@pytest.mark.timeout(540)
def test_the_commands_for_the_embedded_database(home: Home) -> None:
    commands = [each for each in typed() if not needs_server(each) and not each.startswith("abq-data-entry db upgrade")]
    assert len(commands) > 35
    postgres.start(home.data)  # one start for all; its watcher ends it when nobody is connected any more
    failed = {}
    for command in commands:
        for text, prepare in BEFORE.items():
            if text in command:
                prepare(home)
        line = f'psql "$(abq-data-entry db dsn)" -c {shlex.quote(command)}' if command.startswith("\\") else command
        done = home.type(line, ANSWERS.get(command, ""))
        if done.returncode or "Traceback" in done.stderr:
            failed[command] = f"{done.returncode}: {done.stdout}{done.stderr}"
    assert not failed, "\n".join(f"{each}: {said}" for each, said in failed.items())


def test_the_embedded_database_of_an_older_version_is_brought_up_to_date(folder: Path) -> None:
    old = [each for each in server_programs.postgres_folders()
           if postgres.programs.major_version(each) < postgres.programs.major_version(postgres.binaries())]  # fmt: skip
    if not old:
        pytest.skip("no older PostgreSQL server (Debian's package postgresql)")
    home = Home(folder / "home")
    home.data.parent.mkdir(parents=True)
    server = postgres.start(home.data, programs=old[0])
    server.create_database("abq")
    schema.prepare(server.endpoint("abq"))
    server.stop()
    home.environment["PATH"] += f"{os.pathsep}{old[0]}"  # the tests' own ones aren't where a system has them
    (command,) = [each for each in typed() if "db upgrade" in each]
    done = home.type(command)
    assert done.returncode == 0, done.stderr


# -- with a server --------------------------------------------------------------------------------------------


@pytest.mark.takes(10)
@pytest.mark.timeout(540)
def test_the_commands_and_statements_for_a_server(folder: Path, encrypting_server: Node) -> None:
    node, authority = encrypting_server, str(folder / "laboratory.pem")
    home = Home(
        folder / "home",
        {"db move db1.lab.example": f"db move localhost --port {node.port}", "db1.lab.example": "localhost",
         "/etc/ssl/lab-ca.pem": authority},
        PGHOST="localhost", PGPORT=str(node.port), PGUSER="postgres", PGPASSWORD=PASSWORD, ABQ_DB_PASSWORD=PASSWORD,
        ABQ_DB_USER="abq_owner",
    )  # fmt: skip
    home.configure(db_host="localhost", db_port=str(node.port), db_sslmode="verify-full", db_sslrootcert=authority)
    statements = blocks(ADMINISTRATORS, "sql")
    roles, technicians = (f"psql abq --set ON_ERROR_STOP=1 <<'END'\n{each}\nEND" for each in statements)
    later = [each for each in typed() if needs_server(each)]
    (move,) = [each for each in later if " db move " in each]
    grant = next(number for number, each in enumerate(later) if each.endswith("db grant"))
    lines = [*later[: grant + 1], roles, *later[grant + 1 :], technicians]
    lines.sort(key=lambda line: line in (move,))  # it wants a database that is empty
    for line in lines:
        if line == move:
            node.execute("DROP DATABASE abq WITH (FORCE)")
            assert home.type("createdb --owner abq_owner --encoding UTF8 --template template0 abq").returncode == 0
            home.configure()
            save(home, DAY, 1, 2)
        done = home.type(as_typed(line), f"{PASSWORD}\n{PASSWORD}\n")
        assert done.returncode == 0, (line, done.stdout, done.stderr)
    with cursor_at({**node.endpoint("abq"), "host": "localhost"}) as cursor:
        cursor.execute("SELECT count(*) FROM data_record_view")
        assert cursor.fetchall() == [(2,)]
    assert f'"{node.port}"' in text_of(home.folder / ".config/abq-data-entry/abq_settings.json")


def as_typed(line: str) -> str:
    """A statement or a word of psql is typed in psql."""
    if line.startswith(("ALTER", "GRANT", "REVOKE", "SELECT", "UPDATE", "\\")):
        return f"psql abq --set ON_ERROR_STOP=1 --command {shlex.quote(line)}"
    return line
