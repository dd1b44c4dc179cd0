"""What belongs to Tk is collected on its thread, whichever thread makes the garbage."""

from __future__ import annotations

import gc
import threading
import time
import tkinter as tk
from collections.abc import Iterator

import pytest

from abq_data_entry import garbage

PATIENCE = 60.0  # seconds: what has grown old is collected after some hundred rounds only


@pytest.fixture
def root(display: str) -> Iterator[tk.Tk]:
    made = tk.Tk()
    made.withdraw()
    gc.collect()  # what windows of other tests left mustn't be found by another thread, which would wait for its Tk
    gc.enable()  # as a process has it when it starts
    yield made
    gc.disable()
    gc.unfreeze()
    made.destroy()


class Variable(tk.StringVar):
    """Is part of a cycle, and says on which thread it was collected."""

    def __init__(self, root: tk.Tk, threads: list[int]) -> None:
        super().__init__(root)
        self.cycle = self
        self.threads = threads

    def __del__(self) -> None:
        self.threads.append(threading.get_ident())
        super().__del__()


def make_garbage() -> None:
    for _ in range(100_000):
        cycle: list[object] = []
        cycle.append(cycle)


def test_a_worker_collects_nothing_that_belongs_to_tk(root: tk.Tk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "LOOK_MS", 10)
    monkeypatch.setattr(garbage, "SPARED_MS", 0)
    threads: list[int] = []
    garbage.collect_on_tk_thread(root)
    root.update()
    Variable(root, threads)
    worker = threading.Thread(target=make_garbage)
    worker.start()
    worker.join()
    assert not threads
    end = time.monotonic() + PATIENCE
    while not threads:
        root.tk.dooneevent(0)
        make_garbage()
        assert time.monotonic() < end, "waited in vain"
    assert threads == [threading.get_ident()]


def test_what_the_start_created_is_not_searched(root: tk.Tk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "SPARED_MS", 0)
    garbage.collect_on_tk_thread(root)
    make_garbage()
    root.update()
    assert gc.collect() < 100_000


def test_without_garbage_nothing_is_searched(root: tk.Tk) -> None:
    gc.disable()
    gc.collect()
    searched: list[str] = []
    gc.callbacks.append(lambda phase, details: searched.append(phase))
    try:
        garbage.collect_if_due()
        assert not searched
        make_garbage()
        garbage.collect_if_due()
        assert searched == ["start", "stop"]
    finally:
        gc.callbacks.pop()
