"""The embedded server: start it, attach to it, leave it."""

import json
import subprocess
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import EmbeddedServer
from abq_data_entry.postgres.cluster import running
from abq_data_entry.postgres.connections import cursor_at
from tests.postgres.tables import OURS

from .processes import output, spawn

_START = "server = postgres.start(Path(sys.argv[1]))\n"
_PID = (
    "from abq_data_entry.postgres.cluster import running\nprint(running(Path(sys.argv[1], 'postgres/cluster')).pid)\n"
)


def shown(server: EmbeddedServer, setting: str) -> object:
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT current_setting(%s)", [setting])
        return cursor.fetchall()[0][0]


def test_database_in_utf8_with_checksums_and_builtin_locale(server: EmbeddedServer) -> None:
    server.create_database("utf8")
    server.create_database("utf8")  # there already: nothing to do
    with cursor_at(server.endpoint("utf8")) as cursor:
        cursor.execute("SELECT current_user, upper('ä')")
        assert cursor.fetchall() == [("abq", "Ä")]
        cursor.execute(
            "SELECT pg_encoding_to_char(encoding), datlocprovider, datlocale FROM pg_database WHERE datname = 'utf8'"
        )
        if cursor.connection.server_version >= 170000:
            assert cursor.fetchall() == [("UTF8", "b", "C.UTF-8")]
    assert shown(server, "data_checksums") == "on"


def test_any_database_name(server: EmbeddedServer) -> None:
    name = """größe "1" 'x' \\ %s"""
    server.create_database(name)
    with cursor_at(server.endpoint(name)) as cursor:
        cursor.execute("SELECT current_database()")
        assert cursor.fetchall() == [(name,)]


def test_reached_by_private_socket_only(server: EmbeddedServer) -> None:
    endpoint = server.endpoint()
    assert shown(server, "listen_addresses") == ""
    assert Path(endpoint["host"]).stat().st_mode & 0o777 == 0o700
    assert len(endpoint["host"] + "/.s.PGSQL.5432.lock") <= 107


def test_nobody_is_trusted(server: EmbeddedServer) -> None:
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
        assert cursor.fetchall() == [("peer",)]


def test_attaching_spawns_no_process(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = postgres.start(data_folder)
    monkeypatch.setattr(subprocess, "Popen", None)
    second = postgres.start(data_folder)
    assert second.endpoint() == first.endpoint()


def test_four_starts_at_once_give_one_server(folder: Path) -> None:
    waiting = "sys.stdin.read()\n"
    processes = [spawn(waiting + _START + _PID, folder / "data", stdin=subprocess.PIPE) for _ in range(4)]
    for process in processes:  # all are past their imports
        process.stdin.close()
        process.stdin = None
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 4, answers
    assert len({printed for printed, _ in answers}) == 1
    log = (folder / "data/postgres/server.log").read_text()
    assert log.count("starting PostgreSQL") == 1


def test_starts_and_stops_at_once(data_folder: Path) -> None:
    code = f"for turn in range(5):\n  {_START}  server.create_database('x')\n  server.stop_if_unused()\n"
    processes = [spawn(code, data_folder) for _ in range(3)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, answers


def test_last_one_out_stops_it(data_folder: Path) -> None:
    first, second = postgres.start(data_folder), postgres.start(data_folder)
    cluster = data_folder / "postgres/cluster"
    assert not first.stop_if_unused()
    assert running(cluster)
    assert second.stop_if_unused()
    assert not running(cluster)
    assert not Path(second.endpoint()["host"]).exists()
    assert second.stop_if_unused()  # nothing runs: that is what was wanted


def test_a_connection_by_hand_keeps_it(data_folder: Path) -> None:
    server = postgres.start(data_folder)
    with cursor_at(server.endpoint("postgres")):
        assert not server.stop_if_unused()
    assert server.stop_if_unused()


def test_ensure_running_brings_it_back(data_folder: Path) -> None:
    server, other = postgres.start(data_folder), postgres.start(data_folder)
    before = server.endpoint()
    other.stop()
    server.ensure_running()
    assert server.endpoint() == before  # a connection string stays valid
    assert shown(server, "data_directory") == str(data_folder / "postgres/cluster")


def test_socket_taken_by_a_cleaner_of_temporary_folders(data_folder: Path) -> None:
    server = postgres.start(data_folder)
    Path(server.endpoint()["host"], ".s.PGSQL.5432").unlink()
    again = postgres.start(data_folder)
    again.create_database("x")


def test_callers_locale_and_variables_dont_matter(folder: Path) -> None:
    variables = {"LC_ALL": "xx_YY.KOI8", "LANG": "tlh_QO", "LC_MESSAGES": "de_DE.UTF-8", "PGDATA": "/nowhere"}
    variables |= {"PGPORT": "1", "PGHOST": "/nowhere", "PGUSER": "nobody", "PGDATABASE": "none", "PGOPTIONS": ""}
    code = _START + "print(server.endpoint('postgres')['port'])"
    assert output(code, folder / "data", variables=variables) == "5432"


def test_paths_with_blanks_quotes_and_foreign_letters(folder: Path) -> None:
    data, temporary = folder / "Größe 'µ' \"$HOME\" \\ 日本", folder / "tmp ü '\"b"
    temporary.mkdir(mode=0o755)
    code = _START + "import json\nprint(json.dumps([server.endpoint('postgres'), postgres.dsn(server.endpoint())]))"
    endpoint, dsn = json.loads(output(code, data, variables={"TMPDIR": str(temporary)}))
    assert Path(endpoint["host"]).parent == temporary
    with cursor_at(endpoint) as cursor:
        cursor.execute("SELECT current_setting('data_directory')")
        assert cursor.fetchall() == [(str(data / "postgres/cluster"),)]
    assert "\\'" in dsn


def test_long_path(folder: Path) -> None:
    data = folder.joinpath(*["a long name of a folder in the data folder's path"] * 4)
    server = postgres.start(data)
    assert shown(server, "data_directory") == str(data / "postgres/cluster")


def test_relative_path_and_symbolic_link(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = postgres.start(data_folder)
    link = data_folder.parent / "link"
    link.symlink_to(data_folder)
    monkeypatch.chdir(data_folder.parent)
    assert postgres.start(link).endpoint() == server.endpoint()
    assert postgres.start(Path("data")).endpoint() == server.endpoint()


def test_folder_moved_while_the_server_runs(data_folder: Path) -> None:
    server = postgres.start(data_folder)
    moved = data_folder.rename(data_folder.with_name("moved"))
    found = running(moved / "postgres/cluster")
    assert found and found.socket_folder == server.endpoint()["host"]


def test_over_tcp_with_a_password(folder: Path) -> None:
    server = postgres.start(folder / "data", over_tcp=True)
    endpoint = server.endpoint("postgres")
    assert endpoint["host"] == "127.0.0.1"
    assert Path(endpoint["passfile"]).stat().st_mode & 0o777 == 0o600
    assert not list((folder / "data/postgres").glob("password*"))
    with cursor_at(endpoint) as cursor:
        cursor.execute("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
        assert cursor.fetchall() == [("scram-sha-256",)]
    with pytest.raises(postgres.PostgresError), cursor_at({**endpoint, "passfile": "/nowhere", "password": "wrong"}):
        pass
    assert shown(server, "fsync") == shown(server, "synchronous_commit") == "on"
    server.create_database("dumped")
    with cursor_at(server.endpoint("dumped")) as cursor:
        cursor.execute(OURS)
    postgres.dump(server.endpoint("dumped"), folder / "dump")
    postgres.restore(server.endpoint("dumped"), folder / "dump")
    assert server.stop_if_unused()
    server.ensure_running()
    server.stop()
