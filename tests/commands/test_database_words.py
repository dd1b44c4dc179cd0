"""`db`, on the embedded server."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.__main__ import main
from abq_data_entry.commands.database import opened_model, read_settings
from abq_data_entry.commands.passwords import Secrets
from abq_data_entry.models import ServerUnreachable, SQLModel
from abq_data_entry.postgres.cluster import running
from abq_data_entry.postgres.programs import program
from tests.commands.conftest import Outcome, outcome_of, start_process
from tests.fixtures.window import write_settings
from tests.models.records import record


def _psql(connection: str, query: str) -> str:
    """What psql answers when it gets the connection string as it is, unaligned and without headers."""
    command = [str(program(postgres.binaries(), "psql")), "-X", "-A", "-t", "-d", connection, "-c", query]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_dsn_is_one_line_that_psql_takes(line: Callable[..., Outcome], one_record: None) -> None:
    done = line("db", "dsn")
    assert (done.code, done.output.count("\n"), done.errors) == (0, 1, "")
    assert _psql(done.output.strip(), 'SELECT "Lab", "Plot" FROM data_record_view') == "A|3"
    assert _psql(done.output.strip(), "SELECT count(*) FROM local_weather") == "0"


def test_dsn_starts_the_server_and_leaves_it_to_its_watcher(short_folder: Path) -> None:
    places = {"ABQ_DATA_DIR": str(short_folder / "d ä"), "ABQ_CONFIG_DIR": str(short_folder / "config")}
    done = outcome_of(start_process("db", "dsn", env={**os.environ, **places}))
    assert done.code == 0, done
    assert _psql(done.output.strip(), "SELECT count(*) FROM labs") == "5"
    # Another word finds it running, and must not take it away from whoever has the connection string.
    assert outcome_of(start_process("db", "init", env={**os.environ, **places})).code == 0
    assert _psql(done.output.strip(), "SELECT count(*) FROM labs") == "5"


def test_a_word_that_started_the_server_stops_it(short_folder: Path) -> None:
    places = {"ABQ_DATA_DIR": str(short_folder / "data"), "ABQ_CONFIG_DIR": str(short_folder / "config")}
    done = outcome_of(start_process("db", "init", env={**os.environ, **places}))
    assert (done.code, done.output) == (0, "The tables in the database abq are now those of version 8.\n")
    assert running(short_folder / "data" / "postgres" / "cluster") is None


def test_a_server_of_our_own_that_stops_meanwhile_is_no_fault_of_the_settings(
    configure: Callable[..., None], short_folder: Path
) -> None:
    stopped = pytest.raises(ServerUnreachable, match="stopped in the meantime")
    with stopped as caught, opened_model(read_settings(), Secrets()):
        SQLModel.at({"host": str(short_folder), "port": "1", "user": "abq", "dbname": "abq"}).connect()
    assert "db_host" not in str(caught.value) and "No such file" in caught.value.detail


def test_init_makes_the_tables_once(
    home: Path, empty_database: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_settings(home, {"db_name": empty_database["dbname"]})
    assert main(["db", "init"]) == 0
    assert " are now those of version " in capsys.readouterr().out
    assert main(["db", "init"]) == 0
    assert " are already those of version " in capsys.readouterr().out


def test_backup_and_restore(line: Callable[..., Outcome], stored: SQLModel, tmp_path: Path) -> None:
    stored.save_record(record())
    file = tmp_path / "a b.dump"
    made = line("db", "backup", file)
    assert (made.code, made.errors) == (0, "")
    assert str(file) in made.output
    stored.save_record(record(Plot="4", Seed_sample="AXM480"))
    stored.close()
    assert line("db", "restore", file).code == 0
    assert [each["Plot"] for each in stored.get_all_records(all_dates=True)] == [3]


def test_a_backup_that_cannot_be_read_leaves_the_database_as_it_was(
    line: Callable[..., Outcome], stored: SQLModel, one_record: None, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.dump"
    broken.write_bytes(b"PGDMP and nothing more")
    assert "can't be read" in line("db", "restore", broken).reason
    assert "There is no backup file" in line("db", "restore", tmp_path / "missing").reason
    assert "is not a file" in line("db", "backup", os.devnull).reason
    assert len(stored.get_all_records(all_dates=True)) == 1


def test_verify(line: Callable[..., Outcome], stored: SQLModel) -> None:
    stored.save_record(record())
    head = stored.audit_heads()
    stored.save_record(record(Plants="7"))
    assert line("db", "verify", "--head", head).output.startswith("The audit is intact: ")
    assert "isn't a head of the audit" in line("db", "verify", "--head", "A 1 xyz").reason
    assert "went with a delivery" in line("db", "verify", "--head", f"A 1 {'0' * 64}").reason
    stored.query("ALTER TABLE plot_checks DISABLE TRIGGER keep_audit_of_new")
    done = line("db", "verify")
    assert done.code == 1 and done.reason.startswith("The audit is intact: ")
    assert "The trigger keep_audit_of_new of plot_checks is switched off." in done.reason
    stored.query("ALTER TABLE plot_checks ENABLE TRIGGER keep_audit_of_new")
    stored.query("SET session_replication_role = replica")
    stored.query("UPDATE audit SET reason = 'none' WHERE lab_id = 'A' AND sequence = 2")
    stored.query("SET session_replication_role = origin")
    done = line("db", "verify")
    assert done.code == 1
    assert done.reason.startswith("The audit is broken. Lab A, entry 2: its content was changed")


def test_roles_and_labs_kept_apart(line: Callable[..., Outcome], stored: SQLModel) -> None:
    apart = "SELECT relrowsecurity AS apart FROM pg_class WHERE oid = 'plot_checks'::regclass"
    assert line("db", "grant").output.startswith("The roles abq_technician, abq_supervisor, abq_qa have their rights")
    assert line("db", "set-labs", "abq_technician", "BA").output == "abq_technician belongs to A, B from now on\n"
    assert "Lab Z is not known" in line("db", "set-labs", "abq_technician", "Z").reason
    assert line("db", "restrict-labs", "on").output.startswith("Each login sees and enters only")
    assert stored.query(apart) == [{"apart": True}]
    assert line("db", "restrict-labs", "off").output == "Each login sees all labs from now on\n"
    assert stored.query(apart) == [{"apart": False}]
    assert line("db", "set-labs", "abq_technician", "").output == "abq_technician belongs to no lab from now on\n"
    assert stored.query("SELECT FROM lab_members") == []


def test_administration(line: Callable[..., Outcome], stored: SQLModel) -> None:
    assert line("db", "add-technician", 6001, "M Núñez").output == "Technician M Núñez (6001) added\n"
    assert line("db", "add-technician", 6001, "M Núñez").output == "Technician M Núñez (6001) is there already\n"
    assert line("db", "add-lab", "F", "--plots", 3).code == 0
    assert line("db", "add-plot", "F", 9, "--seed-sample", "AXM481").code == 0
    assert line("db", "set-seed", "F", 1, "AXM482").code == 0
    assert line("db", "set-seed", "A", 1, "").code == 0
    found = stored.choices()
    assert "M Núñez" in found.technicians
    assert found.plots["F"] == (1, 2, 3, 9)
    assert (found.seed_samples["F", 9], found.seed_samples["F", 1]) == ("AXM481", "AXM482")
    assert ("A", 1) not in found.seed_samples


def test_renaming_retiring_and_removing(line: Callable[..., Outcome], stored: SQLModel) -> None:
    told = line("db", "rename-technician", 4291, "Jo Simms").output
    assert told == "Technician 4291, J Simms until now, is Jo Simms from now on\n"
    assert line("db", "retire-technician", 4291).output == "Technician Jo Simms is no longer offered for new records\n"
    assert line("db", "retire-lab", "B").output == "Lab B is no longer offered for new records\n"
    assert line("db", "retire-plot", "A", 3).output == "Plot 3 of lab A is no longer offered for new records\n"
    found = stored.choices()
    assert "Jo Simms" not in found.technicians and "B" not in found.labs and 3 not in found.plots["A"]
    assert line("db", "retire-lab", "B", "--undo").output == "Lab B is offered for new records again\n"
    assert line("db", "retire-plot", "A", 3, "--undo").code == 0
    assert line("db", "remove-technician", 4478).output == "Technician Q Murphy removed\n"
    assert line("db", "remove-plot", "A", 20).output == "Plot 20 of lab A removed\n"
    assert line("db", "remove-lab", "E").output == "Lab E removed, with its plots\n"
    found = stored.choices()
    assert found.labs == ("A", "B", "C", "D") and found.plots["A"] == tuple(range(1, 20))
    assert found.technicians == ("L Taniff", "P Taylor")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["add-technician", "4291", "Somebody Else"], "J Simms is 4291"),
        (["add-technician", "99999", "X"], "number"),
        (["add-lab", "AB"], "one letter"),
        (["add-technician", "6001", "1234"], "a number isn't a name"),
        (["add-technician", "6001", "Any"], "for all technicians"),
        (["add-technician", "6001", "j  simms"], "only by capitals or spaces"),
        (["add-lab", "7"], "one letter"),
        (["add-lab", "a"], "there is a lab A"),
        (["add-lab", "F", "--plots", "0"], "1 to 20 plots"),
        (["rename-technician", "4291", "p taylor"], "only by capitals or spaces"),
        (["rename-technician", "99", "X"], "no technician 99"),
        (["retire-lab", "Z"], "no lab Z"),
        (["remove-plot", "A", "21"], "no plot 21"),
        (["add-plot", "Z", "1"], "Lab Z is not known"),
        (["add-plot", "A", "21"], "1 to 20"),
        (["set-seed", "A", "21", "AXM477"], "no plot 21"),
        (["set-seed", "A", "1", "AXM"], "a seed sample has 6"),
    ],
)
def test_administration_that_makes_no_sense(words: list[str], expected: str, line: Callable[..., Outcome]) -> None:
    assert expected in line("db", *words).reason


def test_a_data_folder_that_cannot_be_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: Callable[..., Outcome]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("ABQ_DATA_DIR", str(tmp_path / "file" / "data"))
    assert "ABQ_DATA_DIR" in line("export").reason


def test_dsn_names_the_exact_version_when_asked(line: Callable[..., Outcome], one_record: None) -> None:
    done = line("db", "dsn", "--verbose")
    assert done.code == 0
    assert re.match(r"PostgreSQL \d+\.\d+(?: of \d+ \w+ \d{4}, .* old|, newer than .*)\n", done.errors)
    assert done.output.startswith("host=")
