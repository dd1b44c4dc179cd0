"""Tk is loaded apart from the window, while other threads run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
PATIENCE = 60
_LOADED = """
import threading
from abq_data_entry.application.interpreter import load
from abq_data_entry.application.root import Root

threads = []
interpreter = load(lambda: threads.append(threading.current_thread()))
loaded = interpreter.eval("info exists tk_version")
root = Root(interpreter)
print(threads[0] is not threading.main_thread(), not threads[0].is_alive(), loaded)
print(root.tk is interpreter, root.winfo_class(), root.option_get("asked", ""))
root.destroy()
"""


def run(code: str, home: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {**os.environ, "HOME": str(home), **environment}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=CHECKOUT, env=variables, capture_output=True, text=True, timeout=PATIENCE)


def test_the_root_window_has_the_interpreter_that_was_loaded_while_another_thread_ran(
    display: str, tmp_path: Path
) -> None:
    # A user's own file for Tk needs Tk: it is read once that is there.
    (tmp_path / ".AbqDataEntry.tcl").write_text("option add *asked answered\n", encoding="utf-8")
    done = run(_LOADED, tmp_path)
    assert done.returncode == 0, done.stderr
    other, root = done.stdout.splitlines()
    assert other.startswith("True True")
    assert root == "True Abqdataentry answered"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere tkinter loads Tk, and other threads wait")
def test_tk_is_loaded_by_tcl_which_lets_other_threads_run(display: str, tmp_path: Path) -> None:
    done = run(_LOADED, tmp_path)
    assert done.stdout.splitlines()[0] == "True True 1", done.stderr


def test_what_was_to_be_done_later_goes_with_the_window(display: str, tmp_path: Path) -> None:
    code = (
        "from tkinter import ttk\n"
        "from abq_data_entry.application.root import Root\n"
        "root = Root()\n"
        "label = ttk.Label(root)\n"
        "root.update()\n"
        "label.after_idle(print, 'idle')\n"
        "label.after(1, print, 'later')\n"
        "root.destroy()\n"
        "root.tk.eval('after 20 set waited 1; vwait waited')"
    )
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_fails_meanwhile_is_no_reason_not_to_open_the_window(display: str, tmp_path: Path) -> None:
    code = (
        "from abq_data_entry.application.root import Root\n"
        "from abq_data_entry.commands import window\n"
        "import sys; sys.modules['abq_data_entry.logfile'] = None\n"
        "root = Root(window.load_tk())\n"
        "del sys.modules['abq_data_entry.logfile']; import abq_data_entry.logfile\n"
        "print(root.winfo_exists())\nroot.destroy()"
    )
    done = run(code, tmp_path)
    assert done.stdout == "1\n", done.stderr
