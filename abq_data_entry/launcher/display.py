"""Where a window can be shown: the display of this session, or a virtual one of our own (Xvfb with openbox).

Imports little, because the launcher loads this file at every start.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False  # as typing has it, without an import
if TYPE_CHECKING:
    import subprocess
    from types import TracebackType

NO_DISPLAY = (
    "There is no display here to show the window on: try the subcommand demo, which brings its own, "
    "or weather, export, upload and db, which need none (--help tells more)."
)
START_SECONDS = 30
TOOLS = ("Xvfb", "openbox", "xdotool")

# A small process that asks Linux to end it if our process dies in any way, and then replaces itself with the program.
_TIED_TO_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""
# No key bindings, so that all keys reach the application; new windows get the focus.
_OPENBOX = """<?xml version="1.0" encoding="UTF-8"?>
<openbox_config xmlns="http://openbox.org/3.4/rc">
  <focus><focusNew>yes</focusNew><followMouse>no</followMouse></focus>
  <placement><policy>Smart</policy></placement>
  <desktops><number>1</number><popupTime>0</popupTime></desktops>
  <keyboard></keyboard>
  <mouse>
    <context name="Titlebar"><mousebinding button="Left" action="Drag"><action name="Move"/></mousebinding></context>
    <context name="Client"><mousebinding button="Left" action="Press"><action name="Focus"/><action name="Raise"/>
    </mousebinding></context>
  </mouse>
</openbox_config>
"""


class DisplayError(Exception):
    """A virtual display could not be started; the text says why, and what to do."""


def available() -> bool:
    """Return whether a window can be opened here: always on Windows and macOS, elsewhere when there is an X display.

    Tk can't use Wayland itself. A Wayland session has an X display for such programs, so only that is looked for.
    """
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY"))


class VirtualDisplay:
    """An X display of our own, with a small window manager where openbox is installed.

    A context manager. This process stays as it is; programs whose windows are to be shown here are started with
    ``environment()``. Both processes end on leaving, and Linux ends them if this process dies. Linux does so already
    when the thread that started them ends: enter on a thread that lives as long as the display is needed.
    """

    def __init__(self, width: int = 1280, height: int = 900, depth: int = 24, dpi: int = 96) -> None:
        self.name = ""  # such as ":101", once entered
        self._screen = f"{width}x{height}x{depth}"
        self._dpi = str(dpi)
        self._running: list[subprocess.Popen[bytes]] = []
        self._configuration = ""

    def __enter__(self) -> VirtualDisplay:
        try:
            self._start_server()
            self._start_window_manager()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def environment(self) -> dict[str, str]:
        """This process's environment, with this display in place of the session's."""
        own = {key: value for key, value in os.environ.items() if key not in ("WAYLAND_DISPLAY", "XAUTHORITY")}
        return {**own, "DISPLAY": self.name}

    def close(self) -> None:
        """End the window manager and the server; calling it again does nothing."""
        while self._running:
            end_process(self._running.pop())
        self._remove_configuration()

    def _start(self, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        import subprocess

        tied = [sys.executable, "-I", "-S", "-c", _TIED_TO_PARENT, str(os.getpid()), *command]
        # In a session of its own, so that Ctrl-C in the terminal reaches only us; we then end it.
        process = subprocess.Popen(
            tied, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True, **options
        )  # type: ignore[call-overload]
        self._running.append(process)
        return process  # type: ignore[no-any-return]

    def _start_server(self) -> None:
        import shutil
        import tempfile

        if shutil.which("Xvfb") is None:
            raise DisplayError(_not_installed())
        reading, writing = os.pipe()
        # The server finds a free display number by itself (also past leftover lock files) and writes it to the pipe.
        command = [
            "Xvfb",
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            self._screen,
            "-dpi",
            self._dpi,
            "-nolisten",
            "tcp",
            "-noreset",
        ]
        with tempfile.TemporaryFile() as messages:
            try:
                try:
                    self._start(command, pass_fds=(writing,), stderr=messages)
                finally:
                    os.close(writing)
                number = _read_line(reading, START_SECONDS)
            finally:
                os.close(reading)
            if not number:
                messages.seek(0)
                said = messages.read().decode("utf-8", "replace").replace("(EE)", "").split("\n")
                reason = next((line.strip() for line in reversed(said) if line.strip()), "it said nothing")
                raise DisplayError(f"Xvfb did not start: {reason}")
        self.name = f":{number}"

    def _start_window_manager(self) -> None:
        import shutil
        import subprocess
        import tempfile

        if shutil.which("openbox") is None:
            return
        with tempfile.NamedTemporaryFile("w", prefix="abq-openbox-", suffix=".xml", delete=False) as file:
            file.write(_OPENBOX)
            self._configuration = file.name
        command = ["openbox", "--sm-disable", "--config-file", self._configuration]
        # openbox writes a log to the cache folder, and fontconfig a cache to the home folder: neither may be left in
        # the user's own folders.
        environment = {**self.environment(), "XDG_CACHE_HOME": os.devnull, "HOME": os.devnull}
        manager = self._start(command, stderr=subprocess.DEVNULL, env=environment)
        if shutil.which("xdotool") is None:
            return
        # Only a running window manager answers this: once there is an answer, openbox is ready.
        deadline = time.monotonic() + START_SECONDS
        question = ["xdotool", "get_desktop"]
        while subprocess.run(question, env=self.environment(), capture_output=True, check=False).returncode:
            if manager.poll() is not None or time.monotonic() > deadline:
                raise DisplayError(f"The window manager openbox did not start on display {self.name}.")
            time.sleep(0.02)
        self._remove_configuration()  # openbox has read it; so nothing is left behind if we are killed

    def _remove_configuration(self) -> None:
        from pathlib import Path

        if self._configuration:
            Path(self._configuration).unlink(missing_ok=True)
            self._configuration = ""


def _read_line(descriptor: int, seconds: float) -> str:
    """Return the first line written to the descriptor, without its end, or what came before it was closed or time ran
    out."""
    import select

    deadline = time.monotonic() + seconds
    text = b""
    while not text.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(descriptor, 100) if ready else b""
        if not chunk:
            return ""
        text += chunk
    return text.decode("ascii").strip()


def _not_installed() -> str:
    from abq_data_entry.launcher.system_packages import advice

    return f"A virtual display needs Xvfb, which is not installed. {advice(list(TOOLS))}"


def end_process(process: subprocess.Popen[bytes]) -> None:
    """Ask a process of ours to end, and wait for it; kill it if it still runs after 10 seconds."""
    import subprocess

    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
