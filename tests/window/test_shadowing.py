"""No widget of ours takes a private name of tkinter, which calls other ones of them in each version of Python."""

from __future__ import annotations

import importlib
import pkgutil
import tkinter as tk

import abq_data_entry
from abq_data_entry import application, views, widgets


def test_no_private_name_of_tkinter_is_taken() -> None:
    for package in (application, views, widgets):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            importlib.import_module(module.name)
    ours = [each for each in _below(tk.Misc) if each.__module__.startswith(abq_data_entry.__name__)]
    assert len(ours) > 20
    wrong = {
        f"{each.__module__}.{each.__name__}.{name}"
        for each in ours
        for name in vars(each)
        if name.startswith("_") and not name.startswith("__")
        and any(name in vars(base) for base in each.__mro__ if base.__module__.startswith("tkinter"))
    }  # fmt: skip
    assert not wrong, "\n".join(sorted(wrong))


def _below(kind: type) -> list[type]:
    found: list[type] = []
    subclasses: list[type] = kind.__subclasses__()
    for child in subclasses:
        found += [child, *_below(child)]
    return found
