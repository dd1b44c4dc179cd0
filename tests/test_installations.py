"""The recipes for administrators are run as they stand, with addresses and files of the tests' own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from abq_data_entry import postgres
from abq_data_entry.models import PrivilegeMissing, SQLModel
from abq_data_entry.postgres.cluster import account_for, write_private
from benchmarks import patroni_cluster
from tests import programs
from tests.commands.conftest import outcome_of, start_process
from tests.fixtures.cluster import Node, own
from tests.fixtures.ports import free_port
from tests.models.records import record
from tests.network.certificates import authority
from tests.test_documents import ROOT, blocks

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the servers run on Linux only")
RECIPES = ROOT / "docs/installations.md"
PASSWORD = "right horse battery"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="abq-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def building(folder: Path) -> Iterator[Node]:
    """The server of a building, with the recipe's lines at the end of its settings and in pg_hba.conf."""
    found = [each for each in programs.postgres_folders() if speaks_tls(each)]
    if not found:
        pytest.skip("no PostgreSQL server that speaks TLS (Debian's package postgresql)")
    settings, rules = blocks(RECIPES, "ini")
    own(folder / "server")
    account, port = account_for(folder / "server"), free_port()
    node = Node(folder / "server/node", port, account, PASSWORD, found[0], superuser="postgres")
    node.make(re.sub(r"/etc/ssl/abq/server(-key)?\.pem", "server.pem", settings).replace("'*'", "'127.0.0.1'"))
    write_private(node.folder / "server.pem", authority("laboratory", folder).issue("localhost").read_text(), account)
    rules = "host all postgres 127.0.0.1/32 scram-sha-256\n" + rules.replace("10.20.0.0/16", "127.0.0.1/32")
    write_private(node.folder / "pg_hba.conf", rules, account)
    node.start()
    try:
        yield node
    finally:
        node.kill()


def speaks_tls(folder: Path) -> bool:
    """Whether the PostgreSQL server in the folder can encrypt."""
    asked = subprocess.run([folder / "postgres", "--describe-config"], capture_output=True, text=True, timeout=60)
    return "ssl_cert_file" in asked.stdout


def _settings(folder: Path, number: int, changes: dict[str, str], more: dict[str, str]) -> dict[str, str]:
    """Write the recipe's settings of that number, with some texts changed; the environment that leads to them."""
    text = blocks(RECIPES, "json")[number]
    for theirs, ours in changes.items():
        assert theirs in text
        text = text.replace(theirs, ours)
    entries = {**json.loads(text), **{name: {"type": "str", "value": value} for name, value in more.items()}}
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config/abq_settings.json").write_text(json.dumps(entries), "utf-8")
    return {**os.environ, "ABQ_CONFIG_DIR": str(folder / "config"), "ABQ_DATA_DIR": str(folder / "data")}


def _values(settings: str) -> dict[str, object]:
    return {name: entry["value"] for name, entry in json.loads(settings).items()}


def _done(*words: object, env: dict[str, str]) -> str:
    done = outcome_of(start_process(*words, env=env))
    assert (done.code, done.errors) == (0, ""), done
    return done.output


@pytest.mark.takes(10)
def test_a_small_laboratory(folder: Path) -> None:
    env = _settings(folder, 0, {"/srv/backup/abq": str(folder / "disk")}, {})
    _done("db", "add-technician", 6001, "M Curie", env=env)
    (line,) = [line for line in blocks(RECIPES, "") if "--daily" in line and "ABQ_DB_USER" not in line]
    _done(*line.split("abq-data-entry")[1].split(), env=env)
    (backup,) = (folder / "disk").glob("*.dump")
    another = {**env, "ABQ_DATA_DIR": str(folder / "another computer")}
    _done("db", "restore", backup, env=another)
    assert "is there already" in _done("db", "add-technician", 6001, "M Curie", env=another)
    for data in ("data", "another computer"):
        postgres.start(folder / data).stop()


def test_a_building(folder: Path, building: Node) -> None:
    owner, people = blocks(RECIPES, "sql")
    for statement in filter(str.strip, owner.split(";")):
        building.execute(statement)
    building.execute(f"ALTER ROLE abq_owner PASSWORD '{PASSWORD}'")
    changes = {"db1.lab.example": "localhost", "/etc/ssl/abq/authority.pem": str(folder / "laboratory.pem")}
    env = _settings(folder, 1, changes, {"db_port": str(building.port), "backup_folder": str(folder / "disk")})
    env |= {"ABQ_DB_USER": "abq_owner", "ABQ_DB_PASSWORD": PASSWORD}
    assert " are now those of version " in _done("db", "init", env=env)
    settings = (folder / "config/abq_settings.json").read_text("utf-8")
    endpoint = {**postgres.server_endpoint(_values(settings)), "password": PASSWORD}
    with psycopg2.connect(make_dsn(**{**endpoint, "user": "abq_owner"})) as session, session.cursor() as cursor:
        cursor.execute(people)
        for name in re.findall(r"CREATE ROLE (\w+) LOGIN", people):
            cursor.execute(f"ALTER ROLE {name} PASSWORD '{PASSWORD}'")
    session.close()
    technician = SQLModel.at({**endpoint, "user": "jsimms"})
    technician.save_record(record(Plot=1))
    quality = SQLModel.at({**endpoint, "user": "quality"})
    assert [each["Plot"] for each in quality.get_all_records(all_dates=True)] == [1]
    with pytest.raises(PrivilegeMissing):
        quality.save_record(record(Plot=2))
    supervisor = SQLModel.at({**endpoint, "user": "mcurie"})
    assert supervisor.add_technician(6001, "M Curie")
    for model in (technician, quality, supervisor):
        model.close()
    _done("db", "backup", "--daily", env=env)
    assert len(list((folder / "disk").glob("*.dump"))) == 1


def test_several_sites() -> None:
    """What the benchmark runs is what the recipe says."""
    recipe = blocks(RECIPES, "yaml")[0]
    ours = patroni_cluster.DYNAMIC_SETTINGS
    for name in ("ttl", "loop_wait", "retry_timeout"):
        assert re.search(rf"^ +{name}: {ours[name]}$", recipe, re.MULTILINE)
    assert ours["synchronous_mode"] is True and "synchronous_mode: true" in recipe
    endpoint = postgres.server_endpoint(_values(blocks(RECIPES, "json")[2]))
    assert endpoint["host"].count(",") == 2 and endpoint["target_session_attrs"] == "read-write"
