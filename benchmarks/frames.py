"""Which functions of the package run meanwhile, on every thread: what `sys.setprofile` tells of them."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType

import abq_data_entry

PACKAGE = f"{Path(abq_data_entry.__file__).resolve().parent}/"
_NO_FUNCTIONS = ("<module>", "<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>")  # how many differs by Python


@dataclass
class Frames:
    """What ran while it was recorded: the code of functions, and the threads that they ran on."""

    codes: set[CodeType] = field(default_factory=set)
    threads: set[threading.Thread] = field(default_factory=set)

    @property
    def functions(self) -> set[tuple[str, str]]:
        """File and qualified name of each function and method. Needs Python 3.11."""
        named = {code for code in self.codes if code.co_name not in _NO_FUNCTIONS}
        return {(code.co_filename, code.co_qualname) for code in named}  # type: ignore[attr-defined]

    @property
    def files(self) -> set[str]:
        """The files that these are in."""
        return {file for file, _ in self.functions}

    @property
    def classes(self) -> set[tuple[str, str]]:
        """File and qualified name of each class that a method of ran."""
        owners = {(file, name.rpartition(".")[0]) for file, name in self.functions}
        return {(file, owner) for file, owner in owners if owner and not owner.endswith("<locals>")}


class Recorder:
    """Listens on this thread, and on all that begin after it was made: make it before any other thread runs."""

    def __init__(self) -> None:
        self._recording: Frames | None = None
        threading.setprofile(self._note)
        sys.setprofile(self._note)

    @contextmanager
    def recorded(self) -> Iterator[Frames]:
        """What runs within the block."""
        self._recording = frames = Frames()
        try:
            yield frames
        finally:
            self._recording = None

    def _note(self, frame: FrameType, event: str, argument: object) -> None:
        frames = self._recording
        if frames is not None and event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            frames.codes.add(frame.f_code)
            frames.threads.add(threading.current_thread())
