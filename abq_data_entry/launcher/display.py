"""Where a window can be shown: the display of this session, or a virtual one of our own (Xvfb with openbox).

Imports little: the launcher asks here at every start.
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

# Run between us and the program: asks Linux to end it when we die, however that happens, then becomes the program.
_TIED_TO_PARENT = """
import ctypes, os, signal, sys
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    if os.getppid() != int(sys.argv[1]):
        sys.exit(1)
os.execvp(sys.argv[2], sys.argv[2:])
"""
# Keys belong to the application under test: no key bindings, and new windows get the focus.
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
    """A virtual display could not be started; the text is for people and says what to do."""


def available() -> bool:
    """Whether a window can be opened here: always on Windows and macOS, elsewhere when there is an X display.

    Tk has no Wayland of its own: such a session serves it by its X display, so that is what is looked for.
    """
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY"))


class VirtualDisplay:
    """An X display of our own, with a small window manager where openbox is installed.

    A context manager; it changes nothing in this process, ``environment()`` is for the programs that are to show
    their windows here. Both servers are ended on leaving, and by Linux itself should this process die. Linux counts
    the thread that started them: enter it on a thread that lives as long as the display is needed.
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
        """End the window manager and the server; nothing happens the second time."""
        while self._running:
            end_process(self._running.pop())
        self._remove_configuration()

    def _start(self, command: list[str], **options: object) -> subprocess.Popen[bytes]:
        import subprocess

        tied = [sys.executable, "-I", "-S", "-c", _TIED_TO_PARENT, str(os.getpid()), *command]
        # A session of its own: Ctrl-C in the terminal ends us, and we end it.
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
        # The server looks for a free number by itself, past the locks of others and of dead ones, and writes it down.
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
        # It keeps a log in the cache folder, and fontconfig, where that can't be written, one in the home folder: ours
        # is none of the user's business.
        surroundings = {**self.environment(), "XDG_CACHE_HOME": os.devnull, "HOME": os.devnull}
        manager = self._start(command, stderr=subprocess.DEVNULL, env=surroundings)
        if shutil.which("xdotool") is None:
            return
        # Only a window manager answers this question: it is ready once there is an answer.
        deadline = time.monotonic() + START_SECONDS
        question = ["xdotool", "get_desktop"]
        while subprocess.run(question, env=self.environment(), capture_output=True, check=False).returncode:
            if manager.poll() is not None or time.monotonic() > deadline:
                raise DisplayError(f"The window manager openbox did not start on display {self.name}.")
            time.sleep(0.02)
        self._remove_configuration()  # it has been read: nothing stays should we be killed

    def _remove_configuration(self) -> None:
        from pathlib import Path

        if self._configuration:
            Path(self._configuration).unlink(missing_ok=True)
            self._configuration = ""


def _read_line(descriptor: int, seconds: float) -> str:
    """The first line that is written there, without its end; what there is when it is closed or time is up."""
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
    """End a process of ours, and wait until it has ended; one that doesn't within 10 seconds is killed."""
    import subprocess

    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
