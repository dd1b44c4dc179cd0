"""The WebDAV server, the XML-RPC service and the shared folder: real ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from abq_data_entry.network.probing import OK
from tests.fixtures.disks import small_disk
from tests.fixtures.ports import free_port
from tests.fixtures.xml_rpc_server import PASSWORD as WORD
from tests.fixtures.xml_rpc_server import USERNAME as CALLER
from tests.fixtures.xml_rpc_server import xml_rpc_server
from tests.network.dav_servers import PASSWORD, USERNAME, apache
from tests.network.shares import frozen_share

from .conftest import SECRET, Checks, failure, step_of, verdicts


def test_webdav_step_by_step(check: Checks) -> None:
    with apache(digest=True) as server:
        options: dict[str, Any] = {"abq_webdav_url": server.url, "abq_webdav_folder": "in/a"}
        assert list(verdicts(check("webdav", **options))) == ["Name", "Port", "TLS"]
        steps = check("webdav", (USERNAME, PASSWORD), **options)
        assert step_of(steps, "Login").text == "lab is logged in (Digest)" and "--write" in steps[-1].advice
        steps = check("webdav", (USERNAME, PASSWORD), True, **options)
        assert set(verdicts(steps).values()) == {OK} and "the folder was made" in step_of(steps, "Login").text
        assert "removed again" in steps[-1].text and not list((server.folder / "in/a").iterdir())
        found = failure(check("webdav", (USERNAME, SECRET), **options))
        assert found.what == "Login" and "(401)" in found.text
    assert failure(check("webdav", abq_webdav_url=f"http://127.0.0.1:{free_port()}/")).what == "Port"
    assert "abq_webdav_url" in failure(check("webdav", abq_webdav_url=f"https://lab:{SECRET}@x/")).text
    assert "abq_webdav_url" in failure(check("webdav")).text


def test_an_xml_rpc_service_step_by_step(check: Checks, tmp_path: Path) -> None:
    with xml_rpc_server(tmp_path / "received") as server:
        options: dict[str, Any] = {"abq_xmlrpc_url": server.url}
        assert list(verdicts(check("xmlrpc", **options))) == ["Name", "Port", "TLS"]
        steps = check("xmlrpc", (CALLER, WORD), True, **options)
        assert step_of(steps, "Login").text == "test is logged in, and the service has abq.upload"
        assert step_of(steps, "Write test").text.startswith("nothing was stored") and not server.calls
        steps = check("xmlrpc", (CALLER, WORD), abq_xmlrpc_method="lab.store", **options)
        assert "doesn't list lab.store" in step_of(steps, "Login").advice
        server.funcs.pop("system.listMethods")
        steps = check("xmlrpc", ("", ""), abq_xmlrpc_auth_method="none", **options)
        assert step_of(steps, "Login").text.startswith("nobody logs in; the service doesn't list its methods")
        assert "(401)" in failure(check("xmlrpc", (CALLER, SECRET), **options)).text
    assert "abq_xmlrpc_url" in failure(check("xmlrpc")).text


def test_a_shared_folder_step_by_step(check: Checks, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    assert "abq_folder_path" in failure(check("folder")).text
    assert "isn't there" in failure(check("folder", abq_folder_path=str(share / "gone"))).text
    assert "Nothing is mounted" in failure(
        check("folder", abq_folder_path=str(share), abq_folder_mount=str(share))
    ).text  # fmt: skip
    with small_disk(share, "1m"):
        steps = check("folder", None, True, abq_folder_path=str(share), abq_folder_mount=str(share))
        assert verdicts(steps) == {"Folder": OK, "Room": OK, "Write test": OK} and not list(share.iterdir())
        assert "Little space" in step_of(steps, "Room").advice
    with frozen_share(share):
        found = failure(check("folder", wait=0.3, abq_folder_path=str(share)))
        assert found.what == "Folder" and "didn't answer in time" in found.text
