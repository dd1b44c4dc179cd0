"""The window in which a supervisor manages technicians, labs, plots and the seed samples that grow there."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from tkinter import ttk
from tkinter.font import nametofont
from typing import Any

from .. import fields
from ..constants import FieldNames as F
from ..widgets import Flow, Scrolled
from ..widgets.field_input import ERROR_MARK
from ..widgets.focus import call_and_break, select_text
from ..widgets.table import Table
from .side_window import SideWindow

TITLE = "Technicians, Labs and Plots"
_PLOTS_OF_A_LAB = 20
_LARGEST_NUMBER = 32767
_LONGEST_NAME = 512
_GAP = 24
# The width in digits from which the two halves fit side by side; otherwise the second one is below the first.
_BESIDE = 64
_NAME_WIDTH, _LEAST_NAME_WIDTH = 16, 8
_LINES, _LEAST_LINES = 9, 3
# What Add empties, for the next one, and the entries that Add reads.
_EMPTIED = {"technician": ("number", "name"), "lab": ("letter",)}
_ADDED = {"technician": ("number", "name"), "lab": ("letter", "count")}


@dataclass(frozen=True)
class MasterData:
    """The current technicians (with their numbers) and labs, each with its plots and their seed samples.

    ``retired`` has the keys of those that aren't offered for new records: ``(number,)``, ``(lab,)``, ``(lab, plot)``.
    """

    technicians: Sequence[tuple[int, str]]
    labs: Mapping[str, Mapping[int, str]]
    retired: Container[tuple[object, ...]] = ()


@dataclass(frozen=True)
class AdministrationCallbacks:
    """Callbacks of the window; their results are passed to its ``show_master_data`` and ``show_error``."""

    fetch: Callable[[], object]
    add_technician: Callable[[int, str], object]
    add_lab: Callable[[str, int], object]
    save_plot: Callable[[str, int, str], object]
    rename: Callable[[int, str], object]
    retire: Callable[[str, tuple[Any, ...], bool], object]
    remove: Callable[[str, tuple[Any, ...]], object]


class AdministrationWindow(SideWindow):
    """Technicians at the left, labs with their plots at the right. Enter in the last field of a line adds or saves."""

    def __init__(self, parent: tk.Misc, callbacks: AdministrationCallbacks) -> None:
        super().__init__(parent, TITLE)
        self._callbacks = callbacks
        self._master_data = MasterData((), {})
        room = self.room
        room.columnconfigure(0, weight=1)
        room.rowconfigure(0, weight=1)
        self._scrolled = Scrolled(room)
        self._scrolled.grid(row=0, column=0, sticky="nsew")
        self._halves = ttk.Frame(self._scrolled.inside)
        self._parts: list[ttk.Frame] = []
        self._flows: list[Flow] = []
        self._tables: list[Table] = []
        self._room_of_half = 0
        self.entries: dict[str, ttk.Entry] = {}
        self.notes: dict[str, ttk.Label] = {}
        self._sent: dict[str, list[str]] = {}  # by part: the texts of its line when the last command began
        self.retire_buttons: dict[str, ttk.Button] = {}
        self.technicians = self._make_technicians(self._halves)
        self.plots = self._make_plots(self._halves)
        self._arrange(beside=True)
        self._scrolled.hold(self._halves, self._fit)
        self._scrolled.arrange()
        close = ttk.Button(room, text="Close", command=self.leave)
        close.grid(row=1, column=0, sticky="e", pady=(16, 0))
        close.bind("<Return>", lambda _event: self.leave())
        self.bind("<F5>", lambda _event: callbacks.fetch())
        self.show(self.entries["number"])
        # The window was opened with room for a long name; if the user makes it smaller, this entry shrinks first.
        self.entries["name"].configure(width=_LEAST_NAME_WIDTH)
        for table in self._tables:
            table.give_way(_LEAST_LINES)
        self._show_beside("technician", "Looking up what is there…")
        callbacks.fetch()

    def show_master_data(self, master_data: MasterData, part: str = "technician", done: str = "") -> None:
        """Show the current lists; ``done`` describes at ``part`` (technician, lab or plot) what was just changed."""
        if not self.winfo_exists():
            return
        self._master_data = master_data
        _fill(self.technicians, [(f"{number}", name, self._state(number)) for number, name in master_data.technicians])
        labs = list(master_data.labs)
        self.lab.configure(values=labs)
        if self.lab.get() not in master_data.labs and labs:
            self.lab.set(labs[0])
        self._show_plots()
        self._show_beside(part, f"✓ {done}" if done else "")
        if done:
            self._clear_line(part)

    def _clear_line(self, part: str) -> None:
        """Empty the line of what was changed, and go to its beginning, unless the user has gone on typing since."""
        if self._texts(part) != self._sent.get(part):
            return
        focus = self.focus_lastfor()
        for name in _EMPTIED.get(part, ()):
            self.entries[name].delete(0, "end")
        if part in _ADDED and not any(focus is self.entries[name] for name in self.entries.keys() - set(_ADDED[part])):
            self.entries[_ADDED[part][0]].focus_set()

    def _texts(self, part: str) -> list[str]:
        return [self.entries[name].get() for name in _ADDED.get(part, ())]

    def show_error(self, part: str, text: str) -> None:
        """Show at ``part`` why a command failed; everything stays as it was typed."""
        if self.winfo_exists():
            self._show_beside(part, text, error=True)

    # -- building ---------------------------------------------------------------------------------------

    def _make_technicians(self, room: ttk.Frame) -> ttk.Treeview:
        part = self._make_part(room, "Technicians")
        part.rowconfigure(1, weight=1)
        tree = self._make_list(part, 1, (("Number", 9), ("Name", 14), ("", 8)), "Name")
        tree.bind("<<TreeviewSelect>>", lambda _event: self._technician_chosen())
        tree.bind("<Return>", lambda _event: self._go_to("name"))
        line = self._make_line(part, 2)
        self._add_entry(line, 0, "Number", "number", 7)
        name = self._add_entry(line, 1, "Name", "name", _NAME_WIDTH, self._add_technician)
        name.grid_configure(sticky="ew")  # shrinks in a narrow window
        line.columnconfigure(3, weight=1)
        calls = {
            "Add": self._add_technician,
            "Rename": self._rename,
            "Retire": lambda: self._retire("technician"),
            "Remove": lambda: self._remove("technician"),
        }
        self._add_buttons_below(part, 3, "technician", calls)
        self._add_note(part, 4, "technician")
        return tree

    def _make_plots(self, room: ttk.Frame) -> ttk.Treeview:
        part = self._make_part(room, "Labs and plots")
        part.rowconfigure(2, weight=1)
        head = self._make_line(part, 1, top=0)
        ttk.Label(head, text="Lab").grid(row=0, column=0, sticky="w", padx=(0, 8))
        self.lab = ttk.Combobox(head, width=4, state="readonly", font="TkTextFont")
        self.lab.grid(row=0, column=1, sticky="w")
        self.lab.bind("<<ComboboxSelected>>", lambda _event: self._show_plots())
        tree = self._make_list(part, 2, (("Plot", 6), ("Seed sample", 14), ("", 8)), "")
        tree.bind("<<TreeviewSelect>>", lambda _event: self._plot_chosen())
        tree.bind("<Return>", lambda _event: self._go_to("seed"))
        line = self._make_line(part, 3)
        self._add_entry(line, 0, "Plot", "plot", 4)
        self._add_entry(line, 1, "Seed sample", "seed", 8, self._save_plot)
        calls = {
            "Save Plot": self._save_plot,
            "Retire Plot": lambda: self._retire("plot"),
            "Remove Plot": lambda: self._remove("plot"),
        }
        self._add_buttons_below(part, 4, "plot", calls)
        self._add_note(part, 5, "plot")
        line = self._make_line(part, 6)
        self._add_entry(line, 0, "New lab", "letter", 3)
        self._add_entry(line, 1, "with plots 1 to", "count", 4, self._add_lab).insert(0, f"{_PLOTS_OF_A_LAB}")
        calls = {
            "Add Lab": self._add_lab,
            "Retire Lab": lambda: self._retire("lab"),
            "Remove Lab": lambda: self._remove("lab"),
        }
        self._add_buttons_below(part, 7, "lab", calls)
        self._add_note(part, 8, "lab")
        return tree

    def _fit(self, width: int) -> bool:
        """Arrange the parts for a width in pixels; return whether anything has changed."""
        beside = width >= _BESIDE * nametofont("TkDefaultFont", self).measure("0") + _GAP
        room = (width - _GAP) // 2 if beside else width
        if room == self._room_of_half:
            return False
        self._room_of_half = room
        self._arrange(beside)
        for flow in self._flows:
            flow.fit(room)
        for note in self.notes.values():
            note.configure(wraplength=room)
        return True

    def _arrange(self, beside: bool) -> None:
        """Place the two halves side by side, or one below the other."""
        self._halves.columnconfigure(0, weight=1, uniform="half")
        self._halves.columnconfigure(1, weight=int(beside), uniform="half" if beside else "")
        self._halves.rowconfigure(0, weight=1)
        self._halves.rowconfigure(1, weight=int(not beside))
        first, second = self._parts
        first.grid(row=0, column=0, sticky="nsew", padx=(0, _GAP if beside else 0), pady=(0, 0 if beside else _GAP))
        second.grid(row=int(not beside), column=int(beside), sticky="nsew")

    def _make_part(self, room: ttk.Frame, title: str) -> ttk.Frame:
        part = ttk.Frame(room)
        self._parts.append(part)
        part.columnconfigure(0, weight=1)
        ttk.Label(part, text=title, style="Section.TLabel").grid(row=0, column=0, sticky="w", pady=(0, 8))
        return part

    def _make_list(
        self, part: ttk.Frame, row: int, columns: Sequence[tuple[str, int]], roomy: str
    ) -> ttk.Treeview:
        table = Table(part, columns, height=_LINES, roomy=roomy)
        table.grid(row=row, column=0, sticky="nsew")
        self._tables.append(table)
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
        # Enter goes to the next entry; in the last one, it runs the command of the line.
        leads = action if action is not None else lambda: _next(entry)
        for key in ("<Return>", "<KP_Enter>"):
            entry.bind(key, lambda _event: call_and_break(leads))
        for event in ("<KeyRelease>", "<<Paste>>", "<<Cut>>"):
            entry.bind(event, lambda _event: self.after_idle(self._name_buttons), add=True)
        self.entries[name] = entry
        return entry

    def _add_buttons_below(
        self, part: ttk.Frame, row: int, kind: str, calls: Mapping[str, Callable[[], object]]
    ) -> None:
        """Add buttons, in as many lines as the width requires."""
        flow = Flow(part, len(calls))
        flow.grid(row=row, column=0, sticky="w", pady=(2, 0))
        for text, call in calls.items():
            button = ttk.Button(flow, text=text, command=call, width=-8)
            button.bind("<Return>", lambda event: event.widget.invoke())
            flow.add(button, 8, 4)
            if text.startswith("Retire"):
                self.retire_buttons[kind] = button
        self._flows.append(flow)

    def _add_note(self, part: ttk.Frame, row: int, name: str) -> None:
        note = ttk.Label(part, style="Note.TLabel", justify="left")
        note.grid(row=row, column=0, sticky="w", pady=(2, 4))
        self.notes[name] = note

    # -- commands -----------------------------------------------------------------------------------------

    def _add_technician(self) -> None:
        name = " ".join(self.entries["name"].get().split())
        number = self._number("technician", "number", "The number of a technician", 1, _LARGEST_NUMBER)
        if number is None:
            return
        if not 0 < len(name) <= _LONGEST_NAME:
            self._refuse("technician", "name", f"A name has 1 to {_LONGEST_NAME} characters.")
            return
        self._show_beside("technician", "Adding…")
        self._callbacks.add_technician(number, name)

    def _add_lab(self) -> None:
        letter = self.entries["letter"].get().strip()
        if len(letter) != 1 or not letter.isalpha():
            self._refuse("lab", "letter", "A lab is one letter, such as F.")
            return
        plots = self._number("lab", "count", "The number of plots", 1, _PLOTS_OF_A_LAB)
        if plots is not None:
            self._show_beside("lab", "Adding…")
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
        self._show_beside("plot", "Saving…")
        self._callbacks.save_plot(self.lab.get(), plot, seed)

    def _rename(self) -> None:
        number = self._number("technician", "number", "The number of a technician", 1, _LARGEST_NUMBER)
        name = " ".join(self.entries["name"].get().split())
        if number is None:
            return
        if not 0 < len(name) <= _LONGEST_NAME:
            self._refuse("technician", "name", f"A name has 1 to {_LONGEST_NAME} characters.")
            return
        self._show_beside("technician", "Renaming…")
        self._callbacks.rename(number, name)

    def _retire(self, part: str) -> None:
        key = self._key(part)
        if key is not None:
            self._show_beside(part, "Saving…")
            # By the text of the button, because that is what the user has read.
            again = str(self.retire_buttons[part].cget("text")).startswith("Use")
            self._callbacks.retire(part, key, not again)

    def _remove(self, part: str) -> None:
        key = self._key(part)
        if key is not None:
            self._show_beside(part, "Removing…")
            self._callbacks.remove(part, key)

    def _key(self, part: str) -> tuple[Any, ...] | None:
        """Return the key of the technician, lab or plot that is chosen or typed; ``None`` if it isn't valid."""
        if part == "lab":
            return (self.lab.get(),)
        if part == "plot":
            plot = self._number("plot", "plot", "The number of a plot", 1, _PLOTS_OF_A_LAB)
            return None if plot is None else (self.lab.get(), plot)
        number = self._number("technician", "number", "The number of a technician", 1, _LARGEST_NUMBER)
        return None if number is None else (number,)

    def _state(self, *key: object) -> str:
        return "retired" if key in self._master_data.retired else ""

    def _name_buttons(self) -> None:
        """Name the retire buttons: for something retired, the same button brings it back."""
        texts = {"technician": self.entries["number"].get().strip(), "plot": self.entries["plot"].get().strip()}
        number, plot = (int(text) if text.isascii() and text.isdecimal() else 0 for text in texts.values())
        keys: dict[str, tuple[object, ...]] = {
            "technician": (number,), "plot": (self.lab.get(), plot), "lab": (self.lab.get(),)
        }  # fmt: skip
        for part, button in self.retire_buttons.items():
            what = "" if part == "technician" else f" {part.capitalize()}"
            button.configure(text=f"Use{what} Again" if keys[part] in self._master_data.retired else f"Retire{what}")

    def _technician_chosen(self) -> None:
        chosen = self.technicians.selection()
        if chosen:
            for name, text in zip(("number", "name"), self.technicians.item(chosen[0], "values"), strict=False):
                self.entries[name].delete(0, "end")
                self.entries[name].insert(0, text)
        self._name_buttons()

    def _number(self, part: str, entry: str, what: str, least: int, most: int) -> int | None:
        text = self.entries[entry].get().strip()
        if text.isascii() and text.isdecimal() and least <= int(text) <= most:
            return int(text)
        self._refuse(part, entry, f"{what} is from {least} to {most}.")
        return None

    def _go_to(self, entry: str) -> None:
        self.entries[entry].focus_set()
        select_text(self.entries[entry])

    def _refuse(self, part: str, entry: str, text: str) -> None:
        self._show_beside(part, text, error=True)
        self._go_to(entry)

    def _show_beside(self, part: str, text: str, error: bool = False) -> None:
        shown = f"{ERROR_MARK}{text}" if error else text
        self.notes[part].configure(text=shown, style="Error.TLabel" if error else "Note.TLabel")
        if text.endswith("…"):
            self._sent[part] = self._texts(part)
        elif text:  # what was done, or why it wasn't
            self._scrolled.show_part(self.notes[part])

    def _show_plots(self) -> None:
        lab = self.lab.get()
        plots = self._master_data.labs.get(lab, {})
        _fill(self.plots, [(f"{plot}", seed, self._state(lab, plot)) for plot, seed in sorted(plots.items())])
        self._name_buttons()

    def _plot_chosen(self) -> None:
        chosen = self.plots.selection()
        self._name_buttons()
        # The plots are shown again after a save; that mustn't replace what is being typed into the line.
        if not chosen or chosen[0] == self.entries["plot"].get().strip():
            return
        self._show_beside("plot", "")
        for name, text in zip(("plot", "seed"), self.plots.item(chosen[0], "values"), strict=False):
            self.entries[name].delete(0, "end")
            self.entries[name].insert(0, text)
        self._name_buttons()


def _fill(tree: ttk.Treeview, rows: Sequence[tuple[str, ...]]) -> None:
    """Show the rows; one that was chosen stays so, without being chosen anew, which would replace what is typed."""
    tree.delete(*(set(tree.get_children()) - {cells[0] for cells in rows}))
    for position, cells in enumerate(rows):
        if tree.exists(cells[0]):
            tree.item(cells[0], values=cells)
            tree.move(cells[0], "", position)
        else:
            tree.insert("", position, iid=cells[0], values=cells)


def _next(entry: ttk.Entry) -> None:
    following = entry.tk_focusNext()
    if following is not None:
        following.focus_set()
