"""The window in which a supervisor looks after technicians, labs, plots and the seed samples that grow there."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from tkinter import ttk

from .. import fields
from ..constants import FieldNames as F
from ..widgets.field_input import ERROR_MARK
from ..widgets.table import Table
from .side_window import SideWindow

TITLE = "Technicians, Labs and Plots"
_PLOTS_OF_A_LAB = 20
_LARGEST_NUMBER = 32767
_LONGEST_NAME = 512


@dataclass(frozen=True)
class Places:
    """What is there now: technicians with their numbers, and each lab's plots with their seed samples."""

    technicians: Sequence[tuple[int, str]]
    labs: Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class AdministrationCallbacks:
    """What goes up; the answers come by ``show_places`` and ``show_error`` of the window."""

    fetch: Callable[[], object]
    add_technician: Callable[[int, str], object]
    add_lab: Callable[[str, int], object]
    save_plot: Callable[[str, int, str], object]


class AdministrationWindow(SideWindow):
    """Technicians at the left, labs with their plots at the right; Enter in the last field of a line adds or saves."""

    def __init__(self, parent: tk.Misc, callbacks: AdministrationCallbacks) -> None:
        super().__init__(parent, TITLE)
        self._callbacks = callbacks
        self._places = Places((), {})
        room = self.room
        room.columnconfigure((0, 1), weight=1, uniform="half")
        room.rowconfigure(0, weight=1)
        self.entries: dict[str, ttk.Entry] = {}
        self.notes: dict[str, ttk.Label] = {}
        self._technicians = self._make_technicians(room)
        self._plots = self._make_plots(room)
        close = ttk.Button(room, text="Close", command=self.destroy)
        close.grid(row=1, column=1, sticky="e", pady=(16, 0))
        close.bind("<Return>", lambda _event: self.destroy())
        self.bind("<F5>", lambda _event: callbacks.fetch())
        self.show(self.entries["number"])
        self._say("technician", "Looking up what is there…")
        callbacks.fetch()

    def show_places(self, places: Places, part: str = "technician", done: str = "") -> None:
        """Show what is there now; ``done`` says at ``part`` (technician, lab or plot) what was just changed."""
        if not self.winfo_exists():
            return
        self._places = places
        _fill(self._technicians, [(f"{number}", name) for number, name in places.technicians])
        labs = list(places.labs)
        self.lab.configure(values=labs)
        if self.lab.get() not in places.labs and labs:
            self.lab.set(labs[0])
        self._show_plots()
        self._say(part, f"✓ {done}" if done else "")
        cleared = {"technician": ("number", "name"), "lab": ("letter",)}.get(part, ()) if done else ()
        for name in cleared:
            self.entries[name].delete(0, "end")
        if done and part == "lab":
            self.entries["letter"].focus_set()
        elif done and part == "technician":
            self.entries["number"].focus_set()

    def show_error(self, part: str, text: str) -> None:
        """What was asked couldn't be done: all stays as it was typed."""
        if self.winfo_exists():
            self._say(part, text, error=True)

    # -- building ---------------------------------------------------------------------------------------

    def _make_technicians(self, room: ttk.Frame) -> ttk.Treeview:
        part = self._make_part(room, 0, "Technicians")
        part.rowconfigure(1, weight=1)
        tree = self._make_list(part, 1, (("Number", 9), ("Name", 20)))
        line = self._make_line(part, 2)
        self._add_entry(line, 0, "Number", "number", 7)
        name = self._add_entry(line, 1, "Name", "name", 16, self._add_technician)
        name.grid_configure(sticky="ew")  # it gives way where the window is narrow
        line.columnconfigure(3, weight=1)
        self._add_button(line, 2, "Add", self._add_technician)
        self._add_note(part, 3, "technician")
        return tree

    def _make_plots(self, room: ttk.Frame) -> ttk.Treeview:
        part = self._make_part(room, 1, "Labs and plots")
        part.rowconfigure(2, weight=1)
        head = self._make_line(part, 1, top=0)
        ttk.Label(head, text="Lab").grid(row=0, column=0, sticky="w", padx=(0, 8))
        self.lab = ttk.Combobox(head, width=4, state="readonly", font="TkTextFont")
        self.lab.grid(row=0, column=1, sticky="w")
        self.lab.bind("<<ComboboxSelected>>", lambda _event: self._show_plots())
        tree = self._make_list(part, 2, (("Plot", 6), ("Seed sample", 24)))
        tree.bind("<<TreeviewSelect>>", lambda _event: self._plot_chosen())
        tree.bind("<Return>", lambda _event: self.entries["seed"].focus_set())
        line = self._make_line(part, 3)
        self._add_entry(line, 0, "Plot", "plot", 4)
        self._add_entry(line, 1, "Seed sample", "seed", 8, self._save_plot)
        self._add_button(line, 2, "Save Plot", self._save_plot)
        self._add_note(part, 4, "plot")
        line = self._make_line(part, 5)
        self._add_entry(line, 0, "New lab", "letter", 3)
        self._add_entry(line, 1, "with plots 1 to", "count", 4, self._add_lab).insert(0, f"{_PLOTS_OF_A_LAB}")
        self._add_button(line, 2, "Add Lab", self._add_lab)
        self._add_note(part, 6, "lab")
        return tree

    def _make_part(self, room: ttk.Frame, column: int, title: str) -> ttk.Frame:
        part = ttk.Frame(room)
        part.grid(row=0, column=column, sticky="nsew", padx=(0, 24) if column == 0 else 0)
        part.columnconfigure(0, weight=1)
        ttk.Label(part, text=title, style="Section.TLabel").grid(row=0, column=0, sticky="w", pady=(0, 8))
        return part

    def _make_list(self, part: ttk.Frame, row: int, columns: Sequence[tuple[str, int]]) -> ttk.Treeview:
        table = Table(part, columns, height=9)
        table.grid(row=row, column=0, sticky="nsew")
        return table.tree

    def _make_line(self, part: ttk.Frame, row: int, top: int = 8) -> ttk.Frame:
        line = ttk.Frame(part)
        line.grid(row=row, column=0, sticky="ew", pady=(top, 0 if top else 8))
        return line

    def _add_entry(
        self,
        line: ttk.Frame,
        position: int,
        label: str,
        name: str,
        width: int,
        action: Callable[[], object] | None = None,
    ) -> ttk.Entry:
        ttk.Label(line, text=label).grid(row=0, column=2 * position, padx=(0, 8))
        entry = ttk.Entry(line, width=width, font="TkTextFont")
        entry.grid(row=0, column=2 * position + 1, padx=(0, 12))
        # Enter goes on; from the last one it does what the line is for.
        leads = action if action is not None else lambda: _next(entry)
        for key in ("<Return>", "<KP_Enter>"):
            entry.bind(key, lambda _event: _done(leads))
        self.entries[name] = entry
        return entry

    def _add_button(self, line: ttk.Frame, position: int, text: str, action: Callable[[], object]) -> None:
        button = ttk.Button(line, text=text, command=action, width=-8)
        button.grid(row=0, column=2 * position)
        button.bind("<Return>", lambda _event: action())

    def _add_note(self, part: ttk.Frame, row: int, name: str) -> None:
        note = ttk.Label(part, style="Note.TLabel", wraplength=360, justify="left")
        note.grid(row=row, column=0, sticky="w", pady=(2, 4))
        self.notes[name] = note

    # -- what is asked ------------------------------------------------------------------------------------

    def _add_technician(self) -> None:
        name = " ".join(self.entries["name"].get().split())
        number = self._number("technician", "number", "The number of a technician", 1, _LARGEST_NUMBER)
        if number is None:
            return
        if not 0 < len(name) <= _LONGEST_NAME:
            self._refuse("technician", "name", f"A name has 1 to {_LONGEST_NAME} characters.")
            return
        self._say("technician", "Adding…")
        self._callbacks.add_technician(number, name)

    def _add_lab(self) -> None:
        letter = self.entries["letter"].get().strip()
        if len(letter) != 1:
            self._refuse("lab", "letter", "A lab is one letter, such as F.")
            return
        plots = self._number("lab", "count", "The number of plots", 0, _PLOTS_OF_A_LAB)
        if plots is not None:
            self._say("lab", "Adding…")
            self._callbacks.add_lab(letter, plots)

    def _save_plot(self) -> None:
        plot = self._number("plot", "plot", "The number of a plot", 1, _PLOTS_OF_A_LAB)
        if plot is None:
            return
        seed = self.entries["seed"].get().strip()
        try:
            seed = str(fields.parse(fields.field(F.SEED_SAMPLE), seed)) if seed else ""
        except ValueError as error:
            self._refuse("plot", "seed", str(error))
            return
        self._say("plot", "Saving…")
        self._callbacks.save_plot(self.lab.get(), plot, seed)

    def _number(self, part: str, entry: str, what: str, least: int, most: int) -> int | None:
        text = self.entries[entry].get().strip()
        if text.isascii() and text.isdecimal() and least <= int(text) <= most:
            return int(text)
        self._refuse(part, entry, f"{what} is from {least} to {most}.")
        return None

    def _refuse(self, part: str, entry: str, text: str) -> None:
        self._say(part, text, error=True)
        self.entries[entry].focus_set()

    def _say(self, part: str, text: str, error: bool = False) -> None:
        shown = f"{ERROR_MARK}{text}" if error else text
        self.notes[part].configure(text=shown, style="Error.TLabel" if error else "Note.TLabel")

    def _show_plots(self) -> None:
        plots = self._places.labs.get(self.lab.get(), {})
        _fill(self._plots, [(f"{plot}", seed) for plot, seed in sorted(plots.items())])

    def _plot_chosen(self) -> None:
        chosen = self._plots.selection()
        if not chosen or chosen[0] == self.entries["plot"].get().strip():
            return
        self._say("plot", "")
        for name, text in zip(("plot", "seed"), self._plots.item(chosen[0], "values"), strict=True):
            self.entries[name].delete(0, "end")
            self.entries[name].insert(0, text)


def _fill(tree: ttk.Treeview, rows: Sequence[tuple[str, str]]) -> None:
    chosen = tree.selection()
    tree.delete(*tree.get_children())
    for cells in rows:
        tree.insert("", "end", iid=cells[0], values=cells)
    if chosen and tree.exists(chosen[0]):
        tree.selection_set(chosen[0])
        tree.see(chosen[0])


def _next(entry: ttk.Entry) -> None:
    following = entry.tk_focusNext()
    if following is not None:
        following.focus_set()


def _done(action: Callable[[], object]) -> str:
    action()
    return "break"
