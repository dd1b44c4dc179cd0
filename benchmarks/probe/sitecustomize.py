"""Watches a window from inside its own process: on PYTHONPATH, Python imports this before the program.

Only `benchmarks.starting` puts it there. It tells on standard output, with the machine's monotonic time, when the
window takes keys; and, asked to by ABQ_BENCHMARK_RECORD, it saves a record as soon as that can be done. Imports
nothing that Python hasn't imported already, so as not to be measured itself.
"""

import os
import sys
import time

POLL_MS = 1


class _TkinterFinder:
    """Lends `tkinter` a main loop that is watched, when it is imported."""

    def find_spec(self, name, path=None, target=None):
        if name != "tkinter":
            return None
        found = (each.find_spec(name, path, target) for each in sys.meta_path if each is not self)
        spec = next((each for each in found if each is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def execute_and_watch(module):
                execute(module)
                _watch(module.Misc)

            spec.loader.exec_module = execute_and_watch  # type: ignore[method-assign]
        return spec


def _watch(misc):
    original = misc.mainloop

    def mainloop(self, n=0):
        _await_window(self._root())
        original(self, n)

    misc.mainloop = mainloop


def _tell(what, *values):
    print(what, time.monotonic(), *values, flush=True)


def _await_window(root):
    """Wait until the window is on the screen and one of its entries has the focus."""
    entry = root.focus_displayof()
    if not root.winfo_viewable() or not hasattr(entry, "get"):
        root.after(POLL_MS, _await_window, root)
        return
    _tell("window")
    record = os.environ.get("ABQ_BENCHMARK_RECORD")
    if record:
        heartbeat = _Heartbeat(root)
        _await_database(root, record.split(","), heartbeat)
    else:
        _await_key(root, entry, entry.get())


def _await_key(root, entry, before):
    """Wait until a key that was pressed stands in the entry."""
    if entry.get() == before:
        root.after(POLL_MS, _await_key, root, entry, before)
    else:
        _tell("key")


class _Heartbeat:
    """Notes the longest time in which no timer of a millisecond was served."""

    def __init__(self, root):
        self._root = root
        self._last = time.perf_counter()
        self.longest = 0.0
        self._beat()

    def _beat(self):
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now
        self._root.after(POLL_MS, self._beat)


def _await_database(root, record, heartbeat):
    """Fill the form and save it once the database is there."""
    form = root.form
    if root.data_model is None or not form.choices.get("Lab"):
        root.after(POLL_MS, _await_database, root, record, heartbeat)
        return
    for pair in record:
        name, _, text = pair.partition("=")
        form.inputs[name].fill(text)
        form.inputs[name].editor.event_generate("<<Edited>>")
    form.submit()
    _await_save(root, heartbeat)


def _await_save(root, heartbeat):
    if root.shared.saved_records:
        _tell("saved", heartbeat.longest)
    elif not root.form.saving:
        _tell("failed", {name: each.error for name, each in root.form.inputs.items() if each.error})
    else:
        root.after(POLL_MS, _await_save, root, heartbeat)


sys.meta_path.insert(0, _TkinterFinder())
