"""Run by test_new_destination.py with a copy of the package that has one destination more: JSON-RPC, from settings to
receipt."""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
from pathlib import Path

from abq_data_entry import outbox
from abq_data_entry.commands import line
from abq_data_entry.mainmenu import DELIVER_TO
from abq_data_entry.models import SettingsModel
from abq_data_entry.network.destinations import DESTINATIONS, KINDS, destination, set_up
from abq_data_entry.outbox import retry_policy
from abq_data_entry.views import LoginDialog
from tests.fixtures.json_rpc_server import PASSWORD, USERNAME, JsonRpcServer, json_rpc_server
from tests.fixtures.window import Window, window_of_a_script
from tests.window.test_form import record

WRONG = "Gr0undhog-Tuesday"
KIND = "jsonrpc"
TITLE = "Login to ABQ Corporate JSON-RPC"


def main(folder: Path) -> None:
    """Go through all that a destination is used for; whatever fails raises."""
    assert KINDS[:2] == ("rest", "ftp") and DESTINATIONS[-1].name == "JSON-RPC"
    with json_rpc_server(folder / "received") as server:
        _set_it(server)
        _check_it(server)
        _use_it_in_the_window(server)
        _use_it_on_the_command_line(server)


def _set_it(server: JsonRpcServer) -> None:
    file = Path(os.environ["ABQ_CONFIG_DIR"], "abq_settings.json")
    file.parent.mkdir()

    def say(**values: str) -> SettingsModel:
        file.write_text(json.dumps({name: {"type": "str", "value": text} for name, text in values.items()}), "utf-8")
        return SettingsModel()

    empty = SettingsModel().values()
    assert empty["abq_jsonrpc_url"] == "" and KIND not in [each.kind for each in set_up(empty)]
    code, _, problem = _word("upload", KIND, "--username", USERNAME, password=PASSWORD)
    assert code == 1, problem
    with contextlib.suppress(outbox.SettingsUnusable):
        outbox.require_usable(KIND, empty)
        raise AssertionError("nothing says where it is")
    assert say(abq_jsonrpc_url=server.url).problems == []
    assert destination(KIND).address(SettingsModel().values()) == f"127.0.0.1:{server.server_address[1]}"


def _check_it(server: JsonRpcServer) -> None:
    code, said, _ = _word("check", "--only", KIND, "--username", USERNAME, "--write", password=PASSWORD)
    assert code == 0 and f"JSON-RPC service {server.url[7:-1]}" in said, said
    assert "test is logged in" in said and "was stored" in said
    for each in server.folder.iterdir():  # the service can't
        each.unlink()
    code, said, problem = _word("check", "--only", KIND, "--username", USERNAME, password=WRONG)
    assert code == 1 and "refused the user name or the password (401)" in said and WRONG not in said + problem


def _use_it_in_the_window(server: JsonRpcServer) -> None:
    retry_policy.FIRST_PAUSE = 0.2
    with window_of_a_script() as window:
        _refuse_a_login(window, server)
        _deliver(window, server)
        _try_again_by_itself(window, server)
        offered = [text for text, _ in window.app.status_bar.extracts.commands]
        assert "Upload to JSON-RPC" in offered
        window.app.callbacks["show_deliveries"]()
        window.settle()


def _refuse_a_login(window: Window, server: JsonRpcServer) -> None:
    assert window.app.data_model is not None
    window.app.data_model.save_record(record(1, str(window.app.shared.today())))
    window.app.callbacks[DELIVER_TO[KIND].callback]()
    _log_in(window, WRONG)
    dialog = window.dialog()
    assert "couldn't be sent by JSON-RPC" in dialog.message and "password (401)" in dialog.detail, dialog.detail
    refusals = server.requests
    window.answer("Try Again")
    again = window.dialog()
    assert isinstance(again, LoginDialog) and "password (401)" in again.error, "it is asked for with the reason"
    assert server.requests == refusals  # the server isn't asked again with the same password
    _log_in(window, PASSWORD)


def _deliver(window: Window, server: JsonRpcServer) -> None:
    name = f"abq_data_record_{window.app.shared.today()}.csv"
    window.until(lambda: window.app.status.get() == f"{name} successfully uploaded to JSON-RPC", "the delivery")
    assert _files(server) == [name]
    assert (server.folder / name).read_text("utf-8").splitlines()[1].startswith(f"{window.app.shared.today()},8:00")


def _try_again_by_itself(window: Window, server: JsonRpcServer) -> None:
    """The server is busy once; the login is known."""
    assert window.app.data_model is not None
    server.busy = True
    window.app.data_model.save_record(record(2, str(window.app.shared.today())))
    window.app.callbacks["upload_to_corporate_jsonrpc"]()
    dialog = window.dialog()
    assert "(503)" in dialog.detail and "It is tried again at" in dialog.detail, dialog.detail
    server.busy = False
    window.until(lambda: window.app.status.get().endswith("successfully uploaded to JSON-RPC"), "the next attempt")
    window.settle()
    found = window.app.data_model.query("SELECT version, state, attempts FROM deliveries ORDER BY version") or []
    rows = [tuple(each.values()) for each in found]
    # The first one was refused, and a newer version took its place.
    assert [row[:2] for row in rows] == [(1, "cancelled"), (2, "delivered"), (3, "delivered")], rows
    assert int(str(rows[2][2])) >= 2, rows


def _use_it_on_the_command_line(server: JsonRpcServer) -> None:
    code, said, problem = _word("upload", KIND, "--username", USERNAME, password=WRONG)
    assert code == 1 and "refused the user name or the password (401)" in problem, said + problem
    failed = _word("deliveries")[1].splitlines()[-1].split()
    assert failed[3:5] == [KIND, "failed"], failed
    code, said, problem = _word("deliveries", "retry", failed[0], password=PASSWORD)
    assert code == 0 and "successfully uploaded to JSON-RPC" in said, said + problem
    assert "by jsonrpc, as test" in _word("deliveries", "show", failed[0])[1]
    code, said, _ = _word("upload", "--help")
    told = "".join(said.split())  # help breaks its lines, at hyphens too
    assert code == 0 and "abq-data-entry:jsonrpc" in told and "JSON-RPCservice" in told


def _word(*words: str, password: str = "") -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a subcommand."""
    if password:
        os.environ["ABQ_PASSWORD"] = password
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()) as problem:
        code = line.run(words)
    return code, said.getvalue(), problem.getvalue()


def _log_in(window: Window, password: str) -> None:
    dialog = window.dialog()
    assert isinstance(dialog, LoginDialog) and dialog.title() == TITLE
    window.until(lambda: window.app.focus_get() in (dialog.user_entry, dialog.password_entry), "the focus")
    dialog.username.set(USERNAME)
    dialog.password.set(password)
    window.answer("Log In")


def _files(server: JsonRpcServer) -> list[str]:
    return sorted(each.name for each in server.folder.iterdir())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
