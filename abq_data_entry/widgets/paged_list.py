"""A list of any number of rows that has widgets only for those that fit on the screen.

A Treeview with a row for each of 100,000 records takes 1 s and 195 MiB; refilling the 20 to 50 visible rows takes less
than a millisecond. So the list keeps one page, and requests another one whenever it is scrolled off that page.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping, Sequence
from tkinter import font as tkfont
from tkinter import ttk
from typing import Literal, NamedTuple

from ..themes import TK_9
from .focus import call_and_break, give_focus
from .scrolled import AutoHideScrollbar, Wheel

_KEYS = {"win32": "<App>", "x11": "<Menu>"}
# On macOS, Tk 8.6 numbers the right mouse button 2, and Tk 9 numbers it 3.
_BUTTONS = {"aqua": ("<Button-3>" if TK_9 else "<Button-2>", "<Control-Button-1>")}


class RowMenu:
    """A context menu with ``commands``, pairs of a text and a function, for the selected row of ``tree``.

    ``select(row)`` is called with the row below the mouse before the menu opens. ``keys`` has the key to show beside a
    text. A command is grey if ``allowed(text)`` is false. The keyboard opens the menu through ``once_there``, which may
    wait until the selected row has been fetched.
    """

    def __init__(
        self,
        tree: ttk.Treeview,
        select: Callable[[str], object],
        commands: Sequence[tuple[str, Callable[[], object]]],
        keys: Mapping[str, str] | None = None,
        allowed: Callable[[str], bool] = lambda text: True,
        once_there: Callable[[Callable[[], object]], object] = lambda action: action(),
    ) -> None:
        self._tree, self._select, self._commands = tree, select, commands
        self._keys, self._allowed = keys or {}, allowed
        self._menu: tk.Menu | None = None
        system = str(tree.tk.call("tk", "windowingsystem"))
        for button in _BUTTONS.get(system, ("<Button-3>",)):
            tree.bind(button, self._clicked)
        for key in filter(None, (_KEYS.get(system), "<Shift-F10>")):
            tree.bind(key, lambda _event: call_and_break(lambda: once_there(self._post_at_selection)))

    def _clicked(self, event: tk.Event) -> str:
        row = self._tree.identify_row(event.y)
        if row and self._tree.identify_region(event.x, event.y) == "cell":
            self._tree.focus_set()
            self._select(row)
            self._post(event.x_root, event.y_root)
        return "break"

    def _post_at_selection(self) -> None:
        selected = self._tree.selection()
        box = self._tree.bbox(selected[0]) if selected else ""
        if box:
            x, y, _width, height = box
            self._post(self._tree.winfo_rootx() + x + 24, self._tree.winfo_rooty() + y + height)

    def _post(self, x: int, y: int) -> None:
        # Created each time, because a menu keeps the colours it was created with.
        if self._menu is not None:
            self._menu.destroy()
        self._menu = tk.Menu(self._tree, tearoff=False)
        for text, command in self._commands:
            state: Literal["normal", "disabled"] = "normal" if self._allowed(text) else "disabled"
            self._menu.add_command(label=text, command=command, accelerator=self._keys.get(text, ""), state=state)
        self._menu.tk_popup(x, y)


Row = Mapping[str, object]


class Column(NamedTuple):
    """A column: the name of its field, its heading, its width in characters, and whether it holds numbers."""

    name: str
    heading: str
    width: int
    number: bool = False
    stretch: bool = False


class PageRequest(NamedTuple):
    """A request for ``rows`` rows from position ``start`` (0 is the first); ``start`` None: the last ones.

    ``serial`` distinguishes this request from an earlier one with the same values.
    """

    rows: int
    start: int | None = 0
    serial: int = 0


class PagedList(ttk.Frame):
    """The visible page of a long list, with an exact scrollbar, for the keyboard and the mouse.

    ``fetch(request)`` is called for one page at a time; the answer comes through :meth:`show_page` or
    :meth:`show_message`. ``key_of(row)`` identifies a row, ``text_of(row, column)`` returns the text of a cell.
    ``on_open(row)`` is called on Enter and double click, ``on_sort(column name)`` on a click on a heading.
    """

    def __init__(
        self,
        parent: tk.Misc,
        columns: Sequence[Column],
        key_of: Callable[[Row], object],
        fetch: Callable[[PageRequest], object],
        text_of: Callable[[Row, str], str],
        on_open: Callable[[Row], object],
        on_sort: Callable[[str], object],
    ) -> None:
        super().__init__(parent)
        self._columns, self.key_of, self.fetch, self._text_of = columns, key_of, fetch, text_of
        self._on_open = on_open
        self.rows: list[Row] = []
        """The rows of the visible page."""
        self._top = 0
        self.total: int | None = None
        """How many rows there are in all, ``None`` while they are being counted."""
        self._asked: PageRequest | None = None
        self._wanted: tuple[PageRequest, int] | None = None
        self._select_after = 0
        self._keep: object = None  # the key of the row to select again
        self._moving = False
        self._later: list[Callable[[], object]] = []
        self.capacity = 0
        self._serial = 0
        self.drawn: Callable[[], object] = lambda: None
        """Called whenever a page has been drawn."""
        self._build(on_sort)

    @property
    def position(self) -> int:
        """The position of the first visible row."""
        return self._top

    @property
    def selected(self) -> Row | None:
        """The row that the keyboard has selected."""
        index = self._selected_index()
        return self.rows[index] if 0 <= index < len(self.rows) else None

    @property
    def waiting(self) -> bool:
        """Whether a page has been requested and hasn't arrived yet."""
        return self._asked is not None

    def once_there(self, action: Callable[[], object]) -> None:
        """Call ``action()`` once the row to which earlier keys have moved is selected.

        That is at once, unless that row is on a page that is still being fetched. Several actions are called in order.
        They are dropped if the page can't be fetched, or the list restarts.
        """
        if self._moving:
            self._later.append(action)
        else:
            action()

    def expects(self, request: PageRequest) -> bool:
        """Return whether the list still waits for the answer to ``request``."""
        return request == self._asked

    def restart(self) -> None:
        """Begin again at the top, with other rows or another order; their number isn't known."""
        self.total = None
        self._asked = self._wanted = None
        self._stop_moving()
        self._top = 0
        self.go_to(0, select=0)

    def refresh(self) -> None:
        """Fetch the visible page again; the selected row stays selected, even if its position changes."""
        start, selected = self._place
        # If the user has moved to a page that hasn't arrived yet, that page is requested again.
        if self._asked is None and selected >= 0:
            self._keep = self.key_of(self.rows[selected])
        self.go_to(start, selected)

    def reveal(self, position: int, key: object) -> None:
        """Select the row at that position, whose key is ``key``; its page is fetched if it isn't the visible one."""
        self._keep = key
        top = max(0, self._top)
        if not top <= position < top + max(1, self.capacity):
            top = max(0, position - self.capacity // 2)
        if self.total is not None:
            self.total = max(self.total, position + 1)
        self.go_to(top, position - top)

    def replace(self, find: Callable[[Row], Row | None]) -> None:
        """Replace visible rows in place: ``find(row)`` returns the new row, None to keep the old one.

        Neither the selection nor the position of any row changes.
        """
        for index, row in enumerate(self.rows):
            other = find(row)
            if other is not None:
                self.rows[index] = other
                self.tree.item(str(index), values=self._cells(other))

    def show_total(self, total: int) -> None:
        """Show the total number of rows, once it is known."""
        at_unknown_end = self._top < 0
        self.total = total
        if at_unknown_end:
            self._top = max(0, total - len(self.rows))
        self._move_thumb()

    @property
    def agrees(self) -> bool:
        """Whether the number of rows on the page fits its position and the total."""
        if self.total is None or self._top < 0:
            return True
        return self._top + len(self.rows) == min(self.total, self._top + max(1, self.capacity))

    def go_to(self, start: int | None, select: int = 0) -> None:
        """Request the page from ``start`` (``None``: the last one), then select its row number ``select``."""
        self._serial += 1
        request = PageRequest(max(1, self.capacity), None if start is None else self._full_page(start), self._serial)
        if self._asked is not None:
            self._wanted = (request, select)
            return
        self._asked, self._select_after = request, select
        self.fetch(request)

    def show_page(self, request: PageRequest, rows: Sequence[Row]) -> None:
        """Show the answer to ``request``; it is ignored if the list no longer waits for it."""
        if not self.expects(request):
            return
        self._asked = None
        self.rows = list(rows)
        if request.start is not None:
            self._top = request.start
        else:
            self._top = -1 if self.total is None else max(0, self.total - len(rows))
        self.message.place_forget()
        self._fill()
        if self._wanted is not None:
            (wanted, select), self._wanted = self._wanted, None
            self.go_to(wanted.start, select)
            return
        self._moving = False
        while self._later and not self._moving:
            self._later.pop(0)()

    def show_message(self, text: str, button: str = "", command: Callable[[], object] | None = None) -> None:
        """Show a message in place of rows (no rows, loading, an error), with a button if something can be done."""
        self._asked = self._wanted = None
        self._stop_moving()
        self.rows = []
        self._fill()
        self.message_text.configure(text=text)
        if button and command is not None:
            self.message_button.configure(text=button, command=command)
            self.message_button.grid(row=1, column=0, pady=(12, 0))
        else:
            self.message_button.grid_remove()
        self.message.place(relx=0.5, rely=0.55, anchor="center")

    def focus_set(self) -> None:
        """Put the focus on the rows."""
        give_focus(self.tree)
        if self.rows and self._selected_index() < 0:
            self._select(0)

    def show_sorting(self, column: str, descending: bool) -> None:
        """Mark the column by which the rows are sorted."""
        for each in self._columns:
            mark = ("▼" if descending else "▲") if each.name == column else ""
            self.tree.heading(each.name, text=each.heading + mark)

    def step(self, rows: int, then: Callable[[], object] = lambda: None) -> None:
        """Move the selection by a number of rows, to another page if necessary; call ``then()`` when it is there."""
        self._step(rows)
        if self._moving:
            self._later.insert(0, then)  # before the actions of later keys
        else:
            then()

    def in_turn(self, action: Callable[[], object]) -> None:
        """Call ``action()`` after all actions that wait in :meth:`once_there`; at once if there are none."""
        if self._later:
            self._later.append(action)
        else:
            action()

    def select(self, index: int) -> None:
        """Select a row of the visible page."""
        if 0 <= index < len(self.rows):
            self._select(index)

    def adapt_to_look(self) -> None:
        """Adapt the columns and the page size to a new font or density."""
        self._set_widths()
        self.after_idle(self._resized)

    def offer(self, commands: Sequence[tuple[str, Callable[[Row], object]]]) -> None:
        """Set the commands of the menu of a row; each function is called with the row."""

        def call(command: Callable[[Row], object]) -> None:
            if self.selected is not None:
                command(self.selected)

        entries = [(text, lambda command=command: call(command)) for text, command in commands]
        RowMenu(self.tree, lambda row: self._select(int(row)), entries, once_there=self.once_there)

    def _build(self, on_sort: Callable[[str], object]) -> None:
        names = [each.name for each in self._columns]
        self.tree = ttk.Treeview(self, columns=names, show="headings", selectmode="browse", height=1)
        for each in self._columns:
            self.tree.heading(
                each.name,
                text=each.heading,
                anchor="e" if each.number else "w",
                command=lambda name=each.name: on_sort(name),
            )
        self._set_widths()
        self.scrollbar = ttk.Scrollbar(self, orient="vertical", command=self.scroll)
        across = AutoHideScrollbar(self, orient="horizontal", command=self.tree.xview)
        self.tree.configure(xscrollcommand=across.set)
        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        self.tree.grid(row=0, column=0, sticky="nsew")
        self.scrollbar.grid(row=0, column=1, sticky="ns")
        across.grid(row=1, column=0, sticky="ew")
        self.message = ttk.Frame(self.tree, style="Empty.TFrame")
        self.message_text = ttk.Label(self.message, style="Empty.TLabel", justify="center", wraplength=700)
        self.message_text.grid(row=0, column=0)
        self.message_button = ttk.Button(self.message)
        self._bind_events()

    def _bind_events(self) -> None:
        keys: dict[str, Callable[[], object]] = {
            "<Up>": lambda: self._step(-1),
            "<Down>": lambda: self._step(1),
            "<Prior>": lambda: self._step(-max(1, self.capacity)),
            "<Next>": lambda: self._step(max(1, self.capacity)),
            "<Home>": lambda: self._move_to(0, 0),
            "<End>": lambda: self._move_to(None, -1),
        }
        for key, action in keys.items():
            # `in_turn`, not `once_there`: a key that is held down must not wait for each page on the way.
            self.tree.bind(key, lambda _event, action=action: call_and_break(lambda: self.in_turn(action)))  # type: ignore[misc]
        for key in ("<Return>", "<KP_Enter>"):
            self.tree.bind(key, lambda _event: call_and_break(lambda: self.once_there(self._open)))
        for key in ("<Control-Prior>", "<Control-Next>"):
            self.tree.bind(key, lambda _event: None)  # these belong to the window; Treeview would page on them
        self.tree.bind("<Double-Button-1>", self._double_clicked)
        for each in (self.tree, self.scrollbar):  # for the bar too, because Tk 9 would scroll by fractions of a line
            Wheel(
                each,
                lambda _event, lines: self._wheel(lines),
                across=lambda dots: self.tree.xview("scroll", dots, "units"),
            )
        self.tree.bind("<Configure>", lambda _event: self._resized())

    def _set_widths(self) -> None:
        font = tkfont.nametofont("TkDefaultFont")
        digit = font.measure("0")
        for each in self._columns:
            width = max(digit * each.width, font.measure(each.heading + "▼")) + 10
            self.tree.column(
                each.name, width=width, minwidth=width, anchor="e" if each.number else "w", stretch=each.stretch
            )

    def _resized(self) -> None:
        row_height = int(ttk.Style(self).lookup("Treeview", "rowheight") or 20)
        heading = self._heading_height()
        capacity = max(1, (self.tree.winfo_height() - heading) // row_height)
        if capacity != self.capacity:
            self.capacity = capacity
            if self._asked is not None or self.rows:
                self.go_to(*self._place_with_room())

    def _heading_height(self) -> int:
        # Tk doesn't report the height of the heading, so this looks for the first row below it.
        for y in range(8, 80):
            if self.tree.identify_region(40, y) != "heading":
                return y
        return 28

    def _fill(self) -> None:
        # Rows are reused, because that is faster than creating new ones.
        present = set(self.tree.get_children())
        for index, row in enumerate(self.rows):
            values = self._cells(row)
            iid = str(index)
            if iid in present:
                self.tree.item(iid, values=values)
            else:
                self.tree.insert("", "end", iid=iid, values=values)
        surplus = [iid for iid in present if int(iid) >= len(self.rows)]
        if surplus:
            self.tree.delete(*surplus)
        select = self._select_after
        if self._keep is not None:
            key = self._keep
            if self._wanted is None:
                self._keep = None
            select = next((index for index, row in enumerate(self.rows) if self.key_of(row) == key), select)
        if self.rows and select != -2:
            self._select(len(self.rows) - 1 if select == -1 else min(select, len(self.rows) - 1))
        self.tree.yview_moveto(0)
        self._move_thumb()
        self.drawn()

    def _cells(self, row: Row) -> list[str]:
        return [self._text_of(row, each.name) for each in self._columns]

    def _select(self, index: int) -> None:
        iid = str(index)
        self.tree.selection_set(iid)
        self.tree.focus(iid)

    @property
    def _place(self) -> tuple[int | None, int]:
        """The position (None: the end) and the selected row of the page requested last, or else of the visible one."""
        if self._wanted is not None:
            return self._wanted[0].start, self._wanted[1]
        if self._asked is not None:
            return self._asked.start, self._select_after
        return (self._top if self._top >= 0 else None), self._selected_index()

    def _place_with_room(self) -> tuple[int | None, int]:
        """Return the position and selected row that keep the same row selected and visible with the rows that fit
        now."""
        start, select = self._place
        if start is None or select < 0:
            return start, select
        position = start + select
        top = self._full_page(max(start, position - self.capacity + 1))
        return top, position - top

    def _full_page(self, start: int) -> int:
        """Return where a page from ``start`` begins: the last page is moved up, so that it is full."""
        return max(0, start if self.total is None else min(start, self.total - max(1, self.capacity)))

    def _selected_index(self) -> int:
        selection = self.tree.selection()
        return int(selection[0]) if selection else -2

    def _step(self, rows: int) -> None:
        """Move by this number of rows, from the selected row, or from the one to which earlier keys are moving."""
        if not self.rows:
            return
        start, index = self._place
        there = self.capacity if self._moving else len(self.rows)
        if not self._moving:
            index = self._selected_index()
        elif index == -1:
            index = there - 1
        if start is None and self.total is not None:
            start = max(0, self.total - there)
        if start is None and self._moving:  # on the way to the end of an uncounted list: its position isn't known yet
            self._later.append(lambda: self._step(rows))
        elif 0 <= index + rows < there:
            self._select_on_page(index + rows)
        elif start is not None:
            self._step_off_page(start + rows, rows, index)

    def _select_on_page(self, index: int) -> None:
        if not self._moving:
            self._select(index)
            self._stay_there(index)
        elif self._wanted is not None:
            self._wanted = self._wanted[0], index
        else:
            self._select_after = index

    def _step_off_page(self, start: int, rows: int, index: int) -> None:
        if rows > 0 and self.total is not None and start + self.capacity > self.total:
            self._move_to(None, -1)
        elif abs(rows) == 1:
            self._move_to(start, 0 if rows < 0 else -1)
        else:
            self._move_to(start, 0 if start <= 0 else max(0, index))

    def _move_to(self, start: int | None, select: int) -> None:
        """Move to a row of another page; actions on the selected row wait until it has arrived."""
        self._moving = True
        self._keep = None  # the user leaves the row that an earlier request was to keep selected
        self.go_to(start, select)

    def _stop_moving(self) -> None:
        self._moving = False
        self._later.clear()

    def _stay_there(self, index: int) -> None:
        """Let a page that was requested before this move select the row to which the user has moved."""
        if self._keep is not None:
            self._keep = self.key_of(self.rows[index])
        elif self._asked is not None:
            self._select_after = index

    def _wheel(self, rows: int) -> str:
        if self.rows and self.total is not None and self.total > len(self.rows):
            start, selected = self._place
            self.go_to(max(0, (self.total - self.capacity if start is None else start) + rows), selected)
        return "break"

    def scroll(self, action: str, amount: str, unit: str = "") -> None:
        """Scroll as Tk's scrollbar asks, with the arguments of its command."""
        if self.total is None:
            return
        if action == "moveto":
            self.go_to(round(float(amount) * self.total), select=0)
        else:
            rows = int(amount) * (self.capacity if unit == "pages" else 1)
            self.go_to(max(0, self._top + rows), select=0)

    def _move_thumb(self) -> None:
        total = self.total if self.total is not None else len(self.rows)
        if not total or len(self.rows) >= total:
            self.scrollbar.set(0.0, 1.0)
        else:
            top = max(0, self._top) if self._top >= 0 else total
            self.scrollbar.set(top / total, min(1.0, (top + len(self.rows)) / total))

    def _open(self) -> None:
        if self.selected is not None:
            self._on_open(self.selected)

    def _double_clicked(self, event: tk.Event) -> None:
        if self.tree.identify_region(event.x, event.y) == "cell":
            self._open()


_TAG = "chosen"


class RowSelection:
    """The chosen rows of a list, in the order in which they were chosen, on whatever page they are.

    Shift with an arrow extends the choice, Ctrl with an arrow moves without choosing, Ctrl+Space chooses the row or
    drops it, and Escape drops all. With the mouse, Shift and Ctrl work as usual.

    ``changed(count)`` is called after each change, ``choose_all()`` on Ctrl+A.
    """

    def __init__(
        self,
        page: PagedList,
        changed: Callable[[int], object],
        choose_all: Callable[[], object],
    ) -> None:
        self._page, self._key_of, self._changed = page, page.key_of, changed
        self._rows: dict[object, Row] = {}
        self._tagged = False
        page.drawn = self._show_tags
        tree = page.tree
        own = f"Marks{tree}"
        # Before the list's own bindings, which move and open.
        tree.bindtags((own, *tree.bindtags()))
        mac = str(tree.tk.call("tk", "windowingsystem")) == "aqua"
        for sequence, action in (
            ("<Shift-Up>", lambda: page.once_there(lambda: self._extend(-1))),
            ("<Shift-Down>", lambda: page.once_there(lambda: self._extend(1))),
            ("<Control-Up>", lambda: page.in_turn(lambda: page.step(-1))),
            ("<Control-Down>", lambda: page.in_turn(lambda: page.step(1))),
            ("<Control-space>", lambda: page.once_there(self._toggle)),
            ("<Command-a>" if mac else "<Control-a>", choose_all),
            ("<<SelectAll>>", choose_all),
        ):
            tree.bind_class(own, sequence, lambda _event, action=action: call_and_break(action))  # type: ignore[misc]
        tree.bind_class(own, "<Escape>", lambda _event: self._escape())
        for sequence in ("<Up>", "<Down>", "<Prior>", "<Next>", "<Home>", "<End>"):
            tree.bind_class(own, sequence, lambda _event: page.in_turn(self.clear))
        tree.bind_class(own, "<Button-1>", lambda _event: self.clear())
        tree.bind_class(own, "<Shift-Button-1>", lambda event: self._clicked(event, through=True))
        tree.bind_class(own, "<Control-Button-1>", lambda event: self._clicked(event, through=False))

    @property
    def rows(self) -> list[Row]:
        """The chosen rows."""
        return list(self._rows.values())

    def holds(self, row: Row) -> bool:
        """Return whether that row is chosen."""
        return self._key_of(row) in self._rows

    def choose(self, rows: list[Row]) -> None:
        """Choose these rows, and no others."""
        self._rows = {self._key_of(row): row for row in rows}
        self._draw()

    def clear(self) -> None:
        """Choose none."""
        if self._rows:
            self._rows = {}
            self._draw()

    def _escape(self) -> str | None:
        if not self._rows:
            return None
        self._page.in_turn(self.clear)
        return "break"

    def _extend(self, steps: int) -> None:
        left = self._page.selected
        if left is not None:
            self._page.step(steps, lambda: self._choose_next(left))

    def _choose_next(self, left: Row) -> None:
        """Choose the row to which the keyboard has moved; if it was chosen already, drop the row ``left``."""
        row = self._page.selected
        if row is None:
            return
        if self.holds(row) and self.holds(left) and self._key_of(row) != self._key_of(left):
            del self._rows[self._key_of(left)]
        else:
            self._rows[self._key_of(left)] = left
            self._rows[self._key_of(row)] = row
        self._draw()

    def _toggle(self) -> None:
        row = self._page.selected
        if row is None:
            return
        if self._rows.pop(self._key_of(row), None) is None:
            self._rows[self._key_of(row)] = row
        self._draw()

    def _clicked(self, event: tk.Event, through: bool) -> str:
        tree, page = self._page.tree, self._page
        clicked = tree.identify_row(event.y)
        before = page.selected
        if not clicked:
            return "break"
        index = int(clicked)
        if through and before is not None and before in page.rows:
            first = page.rows.index(before)
            for row in page.rows[min(first, index) : max(first, index) + 1]:
                self._rows[self._key_of(row)] = row
            page.select(index)
            self._draw()
        else:
            if before is not None and not self._rows:
                self._rows[self._key_of(before)] = before
            page.select(index)
            self._toggle()
        tree.focus_set()
        return "break"

    def _draw(self) -> None:
        self._page.replace(lambda row: row)
        self._show_tags()
        self._changed(len(self._rows))

    def _show_tags(self) -> None:
        if not self._rows and not self._tagged:
            return
        self._tagged = bool(self._rows)
        self._page.tree.tag_configure(_TAG, background=ttk.Style(self._page).lookup("Bar.TFrame", "background"))
        for index, row in enumerate(self._page.rows):
            self._page.tree.item(str(index), tags=(_TAG,) if self.holds(row) else ())
