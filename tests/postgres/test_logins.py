"""Who a server may be, and what it may ask for: real servers that speak TLS or want the password in a weak form."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import LoginFailed, ServerUnreachable, SQLModel
from abq_data_entry.postgres.cluster import account_for, write_private
from tests import programs
from tests.fixtures.cluster import OWNER, Node, own, wait_until
from tests.fixtures.ports import free_port
from tests.network.certificates import Authority, authority
from tests.postgres.tables import OURS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the servers run on Linux only")
PASSWORD = "right horse battery"


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="abq-test-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def weak(folder: Path) -> Iterator[Node]:
    """A server with a user each for cleartext, MD5 and SCRAM, all with the same password."""
    own(folder / "weak")
    node = Node(folder / "weak/node", free_port(), account_for(folder / "weak"), PASSWORD, postgres.binaries())
    node.make()
    methods = (("clear", "password"), ("old", "md5"), ("all", "scram-sha-256"))
    rules = "".join(f"host all {user} 127.0.0.1/32 {method}\n" for user, method in methods)
    write_private(node.folder / "pg_hba.conf", rules, node.account)
    node.start()
    try:
        for user, encryption in (("clear", "scram-sha-256"), ("old", "md5"), ("good", "scram-sha-256")):
            node.execute(f"SET password_encryption = '{encryption}'; CREATE ROLE {user} LOGIN PASSWORD '{PASSWORD}'")
        yield node
    finally:
        node.kill()


@pytest.mark.parametrize("user", ["clear", "old"])
def test_a_password_is_not_sent_in_a_form_that_others_can_use(weak: Node, user: str) -> None:
    endpoint = {**weak.endpoint("postgres"), "user": user}
    with pytest.raises(LoginFailed, match=r"could be read or used by others.*it was not sent"):
        SQLModel.at(endpoint).query("SELECT")
    with pytest.raises(postgres.PostgresError, match="authentication method requirement"):
        postgres.connections.connect(endpoint)


def test_a_dump_does_not_send_it_either(weak: Node, tmp_path: Path) -> None:
    with pytest.raises(postgres.PostgresError, match="authentication method requirement"):
        postgres.dump({**weak.endpoint("postgres"), "user": "clear"}, tmp_path / "dump")
    assert not list(tmp_path.iterdir())


def test_scram_is_what_is_taken(weak: Node) -> None:
    assert SQLModel.at({**weak.endpoint("postgres"), "user": "good"}).query("SELECT 1 AS one") == [{"one": 1}]


# -- TLS ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Encrypting:
    """A server that takes encrypted connections only, its certificate's authority, and another authority."""

    node: Node
    trusted: Authority
    other: Authority

    def endpoint(self, host: str, mode: str, root: Path | None = None) -> dict[str, str]:
        settings = {"db_host": host, "db_port": str(self.node.port), "db_name": "postgres", "db_sslmode": mode}
        settings["db_sslrootcert"] = str(root or "")
        return {**postgres.server_endpoint(settings), "user": OWNER, "password": PASSWORD}


def _speaks_tls(folder: Path) -> bool:
    try:
        asked = subprocess.run([folder / "postgres", "--describe-config"], capture_output=True, text=True, timeout=60)
    except OSError:
        return False
    return asked.returncode == 0 and "ssl_cert_file" in asked.stdout


@pytest.fixture(scope="module")
def encrypting(folder: Path) -> Iterator[Encrypting]:
    able = [each for each in programs.postgres_folders() if _speaks_tls(each)]
    if not able:
        pytest.skip("no PostgreSQL server that speaks TLS (Debian's package postgresql)")
    trusted, other = authority("laboratory", folder), authority("somebody else", folder)
    own(folder / "tls")
    node = Node(folder / "tls/node", free_port(), account_for(folder / "tls"), PASSWORD, able[0])
    node.make("ssl = on\nssl_cert_file = 'server.pem'\nssl_key_file = 'server.pem'")
    write_private(node.folder / "server.pem", trusted.issue("localhost").read_text(), node.account)
    write_private(node.folder / "pg_hba.conf", "hostssl all all 127.0.0.1/32 scram-sha-256\n", node.account)
    node.start()
    try:
        yield Encrypting(node, trusted, other)
    finally:
        node.kill()


_IN_USE = "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-ca", "verify-full"])
def test_each_mode_encrypts(encrypting: Encrypting, mode: str) -> None:
    model = SQLModel.at(encrypting.endpoint("localhost", mode, encrypting.trusted.file))
    (found,) = model.query(_IN_USE) or []
    assert found["ssl"] is True and str(found["version"]).startswith("TLSv1.")
    model.close()


def refused(endpoint: dict[str, str]) -> str:
    """What is said of a connection that must not come about."""
    with pytest.raises(ServerUnreachable) as caught:
        SQLModel.at(endpoint).query("SELECT")
    return str(caught.value)


def test_a_server_of_another_name_is_refused_by_verify_full(encrypting: Encrypting) -> None:
    """127.0.0.1 isn't in the certificate: whoever answers there isn't known to be the server."""
    SQLModel.at(encrypting.endpoint("127.0.0.1", "verify-ca", encrypting.trusted.file)).query("SELECT")
    said = refused(encrypting.endpoint("127.0.0.1", "verify-full", encrypting.trusted.file))
    assert "certificate of the database server is for another name than 127.0.0.1" in said and "db_host" in said


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_certificate_of_another_authority_is_refused(encrypting: Encrypting, mode: str) -> None:
    said = refused(encrypting.endpoint("localhost", mode, encrypting.other.file))
    assert f"isn't signed by the authority in {encrypting.other.file}" in said and "db_sslrootcert" in said


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_file_of_authorities_that_is_missing_or_none_is_named(encrypting: Encrypting, mode: str) -> None:
    missing, none = encrypting.other.folder / "missing.pem", encrypting.other.folder / "none.pem"
    none.write_text("no certificate\n")
    for file in (missing, none):
        said = refused(encrypting.endpoint("localhost", mode, file))
        assert f"The file of certificate authorities {file} is missing or can't be read" in said


def test_a_certificate_that_has_expired_is_reported(encrypting: Encrypting) -> None:
    endpoint = encrypting.endpoint("localhost", "verify-full", encrypting.trusted.file)
    file = encrypting.node.folder / "server.pem"
    valid = file.read_text()
    try:
        write_private(file, encrypting.trusted.issue("localhost", days=-1).read_text(), encrypting.node.account)
        encrypting.node.execute("SELECT pg_reload_conf()")
        wait_until(lambda: _said(endpoint), "the server shows the other certificate")
        assert "or has expired" in refused(endpoint)  # libpq doesn't say which
    finally:
        write_private(file, valid, encrypting.node.account)
        encrypting.node.execute("SELECT pg_reload_conf()")
        wait_until(lambda: not _said(endpoint), "the server shows its certificate again")


def _said(endpoint: dict[str, str]) -> str:
    try:
        SQLModel.at(endpoint).query("SELECT")
    except ServerUnreachable as error:
        return str(error)
    return ""


def test_an_unencrypted_connection_is_refused_by_the_server(encrypting: Encrypting) -> None:
    with pytest.raises(LoginFailed, match=r"lets this user in with encryption only.*db_sslmode"):
        SQLModel.at(encrypting.endpoint("localhost", "disable")).query("SELECT")


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_a_server_that_does_not_encrypt_is_refused(weak: Node, encrypting: Encrypting, mode: str) -> None:
    settings = {**encrypting.endpoint("localhost", mode, encrypting.trusted.file), "port": str(weak.port)}
    said = refused(settings)
    assert said.startswith("The database server offers no encryption, and the setting db_sslmode wants it.")


def test_backups_are_encrypted_too(encrypting: Encrypting, tmp_path: Path) -> None:
    endpoint = encrypting.endpoint("localhost", "verify-full", encrypting.trusted.file)
    encrypting.node.execute("CREATE DATABASE kept")
    encrypting.node.execute(OURS, "kept")
    encrypting.node.execute("CREATE TABLE kept AS SELECT 42 AS answer", "kept")
    held = postgres.dump({**endpoint, "dbname": "kept"}, tmp_path / "dump", verify=True)
    assert held["public.kept"].rows == 1
    assert postgres.restore({**endpoint, "dbname": "kept"}, tmp_path / "dump") == []
