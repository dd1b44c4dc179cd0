"""The ttk styles, made of a palette and a spacing unit on top of Tk's ``clam`` theme, with their pictures."""

from __future__ import annotations

import tkinter as tk
from pathlib import Path
from tkinter import ttk
from typing import Any

from .palette import TK_9, Look

BOX_SIZES = (14, 16, 20, 24, 32, 48)
_FOLDER = Path(__file__).resolve().parent.parent / "images"


def use_boxes(style: ttk.Style, root: tk.Misc, line: int, dark: bool) -> None:
    """Let check boxes of the present theme show a tick; ``line`` is the height of a line of text in pixels."""
    size = max((each for each in BOX_SIZES if each <= line), default=BOX_SIZES[0])
    look = f"{'dark' if dark else 'light'}-{size}"
    element = f"Box{look}.indicator"
    if element not in style.element_names():
        images = []
        for state in ("off", "on"):
            # Named, so that Tk keeps them for as long as the window lives. Tk asks the display for each shade of a
            # palette, one after the other: 64 of each colour are enough for these, 256 would take four times as long.
            picture = ("-file", _FOLDER / f"box-{state}-{look}.png", "-palette", "64/64/64")
            images.append(root.tk.call("image", "create", "photo", f"abq-{state}-{look}", *picture))
        style.element_create(element, "image", images[0], ("selected", images[1]), width=size + 6, sticky="w")
    label: tuple[str, Any] = ("Checkbutton.label", {"sticky": "nswe"})
    inside: list[tuple[str, Any]] = [
        (element, {"side": "left", "sticky": ""}),
        ("Checkbutton.focus", {"side": "left", "sticky": "w", "children": [label]}),
    ]
    style.layout("TCheckbutton", [("Checkbutton.padding", {"sticky": "nswe", "children": inside})])


_Layout = list[tuple[str, Any]]


def use_marks(style: ttk.Style, root: tk.Misc, line: int, colour: str) -> None:
    """Let the entries and list fields of the present theme show a ✗ while they are wrong, on a place kept for it.

    Numbers, which stand at the right, have it at the left (``Number.TEntry``). ``line`` is the height of a line of text
    in pixels.
    """
    size = max(7, round(line / 2.2))
    element = f"Wrong{colour[1:]}x{size}.mark"
    if element not in style.element_names():
        lines = [0] * size
        nothing = _picture(root, f"abq-right-{size}", lines, colour)
        for step in range(size - 1):
            for place in (step, step + 1):
                lines[place] |= 3 << step | 3 << (size - 2 - step)
        cross = _picture(root, f"abq-wrong-{colour}-{size}", lines, colour)
        style.element_create(element, "image", nothing, ("invalid", cross), width=size + 4, sticky="")
    style.layout("TEntry", _field("Entry", element, "right"))
    style.layout("Number.TEntry", _field("Entry", element, "left"))
    arrow: tuple[str, Any] = ("Combobox.downarrow", {"side": "right", "sticky": "ns"})
    style.layout("TCombobox", [arrow, *_field("Combobox", element, "right")])


def _field(kind: str, mark: str, side: str) -> _Layout:
    text: _Layout = [(f"{kind}.textarea", {"sticky": "nswe"})]
    inside: _Layout = [(mark, {"side": side, "sticky": ""}), (f"{kind}.padding", {"sticky": "nswe", "children": text})]
    return [(f"{kind}.field", {"sticky": "nswe", "children": inside})]  # drawn before what is inside


def _picture(root: tk.Misc, name: str, lines: list[int], colour: str) -> str:
    """Return a square of one colour, see-through where a bit of a line isn't set; the lowest bit is at the left."""
    # Named, so that Tk keeps it for as long as the window lives. For a photo it would ask the display for 256 shades,
    # one after the other.
    size = len(lines)
    bits = ", ".join(str(byte) for line in lines for byte in line.to_bytes((size + 7) // 8, "little"))
    data = f"#define m_width {size}\n#define m_height {size}\nstatic unsigned char m_bits[] = {{ {bits} }};"
    return str(root.tk.call("image", "create", "bitmap", name, "-data", data, "-foreground", colour))


_NO_GRIP: dict[str, Any] = {"gripsize": 0} if TK_9 else {"gripcount": 0}


def configure(style: ttk.Style, look: Look, root: tk.Misc) -> None:
    """Colour every ttk widget class, and the variants the views name."""
    p = look.palette
    style.configure(
        ".",
        background=p.surface,
        foreground=p.text,
        bordercolor=p.border,
        lightcolor=p.surface,
        darkcolor=p.surface,
        troughcolor=p.bar,
        focuscolor=p.accent,
        selectbackground=p.selection,
        selectforeground=p.on_selection,
        insertcolor=p.text,
        font="TkDefaultFont",
    )
    style.map(".", foreground=[("disabled", p.muted)])
    _labels(style, look)
    _fields(style, look)
    _buttons(style, look)
    _lists(style, look)
    use_boxes(style, root, look.line, look.dark)
    use_marks(style, root, look.line, p.error)
    if isinstance(root, (tk.Tk, tk.Toplevel)):
        root.configure(background=p.surface)
    configure_sizes(style, look)


def configure_sizes(style: ttk.Style, look: Look) -> None:
    """What depends on the font and the density only; also for the platform's own themes."""
    style.configure("Treeview", rowheight=look.row_height)
    style.configure("Title.TLabel", font="AbqTitle")
    for name in ("Section", "Section.Help"):
        style.configure(f"{name}.TLabel", font="AbqStrong")
    for name in ("Note", "Error", "Warning", "Help"):
        style.configure(f"{name}.TLabel", font="AbqSmall")
    for name in ("Quiet", "Due"):
        style.configure(f"{name}.TButton", padding=(look.unit, 0), width=0)
    lists = style.lookup("Treeview", "fieldbackground") or style.lookup("Treeview", "background")
    for name in ("Empty.TLabel", "Empty.TFrame"):
        style.configure(name, background=lists or style.lookup("TFrame", "background"))
    if style.theme_use() != "abq":
        style.configure("Error.TLabel", foreground=look.palette.error)


def configure_platform(style: ttk.Style, look: Look, root: tk.Misc) -> None:
    """What a theme of the platform doesn't show by itself: closed and wrong fields, the list that has the focus."""
    p = look.palette
    for name in ("TEntry", "TCombobox"):
        style.map(
            name,
            fieldbackground=[("disabled", p.surface), ("invalid", p.field_wrong)],
            foreground=[("disabled", p.muted)],
            bordercolor=[("invalid", p.error), ("focus", p.accent)],
        )
    style.map("Treeview", bordercolor=[("focus", p.accent)], lightcolor=[("focus", p.accent)])
    for name in ("Warning.TLabel", "Warning.Bar.TLabel", "Due.TButton"):
        style.configure(name, foreground=p.warning)
    style.configure("Choice.TButton", anchor="w")
    style.configure("Help.TFrame", relief="solid", borderwidth=1)
    style.configure("Message.TFrame", relief="solid", borderwidth=2)
    if root.tk.call("tk", "windowingsystem") == "x11":
        use_marks(style, root, look.line, p.error)


def configure_options(root: tk.Misc, look: Look) -> None:
    """Classic widgets that ttk styles don't reach: the combobox's list, menus, texts."""
    p = look.palette
    options = {
        "*TCombobox*Listbox.background": p.field,
        "*TCombobox*Listbox.foreground": p.text,
        "*TCombobox*Listbox.selectBackground": p.accent,
        "*TCombobox*Listbox.selectForeground": p.on_accent,
        "*TCombobox*Listbox.borderWidth": 0,
        "*TCombobox*Listbox.font": "TkTextFont",
    }
    if root.tk.call("tk", "windowingsystem") == "x11":
        options |= {
            "*Menu.background": p.bar,
            "*Menu.foreground": p.text,
            "*Menu.activeBackground": p.accent,
            "*Menu.activeForeground": p.on_accent,
            "*Menu.disabledForeground": p.muted,
            "*Menu.selectColor": p.text,
            "*Menu.relief": "raised",
            "*Menu.borderWidth": 1,
            "*Menu.activeBorderWidth": 0,
            "*Menu.font": "TkMenuFont",
        }
    for pattern, value in options.items():
        root.option_add(pattern, value)


def recolour_open_lists(root: tk.Misc, look: Look) -> None:
    """Recolour the lists of comboboxes that were opened before: the option database reaches new ones only."""
    p = look.palette
    colours = ("-background", p.field, "-foreground", p.text)
    selection = ("-selectbackground", p.accent, "-selectforeground", p.on_accent)
    for child in root.winfo_children():
        listbox = f"{child}.popdown.f.l"
        if child.winfo_class() == "TCombobox" and int(root.tk.call("winfo", "exists", listbox)):
            root.tk.call(listbox, "configure", *colours, *selection)
        recolour_open_lists(child, look)


def _labels(style: ttk.Style, look: Look) -> None:
    p = look.palette
    for name, colour in (("Note", p.muted), ("Unit", p.muted), ("Error", p.error), ("Warning", p.warning)):
        style.configure(f"{name}.TLabel", foreground=colour)
    style.configure("Bar.TFrame", background=p.bar)
    style.configure("Bar.TLabel", background=p.bar)
    style.configure("Line.TFrame", background=p.line)
    style.configure("Help.TFrame", background=p.bar, bordercolor=p.border, relief="solid", borderwidth=1)
    style.configure("Help.TLabel", background=p.bar, foreground=p.text)
    style.configure("Section.Help.TLabel", background=p.bar, foreground=p.text)
    style.configure("Message.TFrame", background=p.bar, bordercolor=p.border, relief="solid", borderwidth=2)
    style.map("Message.TFrame", bordercolor=[("focus", p.accent)], lightcolor=[("focus", p.accent)])
    style.configure("Warning.Bar.TLabel", background=p.bar, foreground=p.warning)
    words = {"background": p.bar, "foreground": p.error, "bordercolor": p.error}
    style.configure("Words.TLabel", padding=(8, 4), font="AbqSmall", **words)
    style.configure("Tooltip.TLabel", background=p.text, foreground=p.surface, padding=(8, 4), font="AbqSmall")


def _fields(style: ttk.Style, look: Look) -> None:
    p = look.palette
    inside = max(2, look.unit // 2)
    for name in ("TEntry", "TCombobox"):
        style.configure(name, fieldbackground=p.field, foreground=p.text, padding=inside, lightcolor=p.field)
        style.map(
            name,
            fieldbackground=[("disabled", p.field_disabled), ("invalid", p.field_wrong), ("readonly", p.field)],
            foreground=[("disabled", p.muted)],
            bordercolor=[("invalid focus", p.error), ("focus", p.accent), ("invalid", p.error)],
            # The second ring: a focus that can be seen without comparing shades.
            lightcolor=[("invalid focus", p.error), ("focus", p.accent), ("disabled", p.field_disabled)],
            darkcolor=[("focus", p.accent)],
            selectbackground=[("!focus invalid", p.field_wrong), ("!focus", p.field), ("focus", p.selection)],
            selectforeground=[("!focus", p.text), ("focus", p.on_selection)],
        )
    style.configure("TCombobox", arrowcolor=p.muted, background=p.field, arrowsize=round(look.line * 0.75))
    style.map("TCombobox", background=[("disabled", p.field_disabled)], arrowcolor=[("disabled", p.line)])
    style.configure("TCheckbutton", background=p.surface, padding=2)
    style.map("TCheckbutton", background=[("active", p.surface)])


def _buttons(style: ttk.Style, look: Look) -> None:
    p = look.palette
    padding = (look.unit * 3, max(2, look.unit))
    shape: dict[str, Any] = {"anchor": "center", "relief": "raised", "borderwidth": 1, "width": -11}
    style.configure("TButton", background=p.bar, padding=padding, lightcolor=p.bar, darkcolor=p.bar, **shape)
    style.map(
        "TButton",
        background=[("pressed", p.line), ("active", p.line), ("disabled", p.surface)],
        lightcolor=[("focus", p.accent), ("pressed", p.line)],
        darkcolor=[("focus", p.accent), ("pressed", p.line)],
        bordercolor=[("focus", p.accent), ("disabled", p.line)],
        foreground=[("disabled", p.muted)],
    )
    accent = {"background": p.accent, "foreground": p.on_accent, "lightcolor": p.accent, "darkcolor": p.accent}
    style.configure("Accent.TButton", padding=padding, bordercolor=p.accent, **accent)
    style.map(
        "Accent.TButton",
        background=[("disabled", p.line), ("pressed", p.accent_hover), ("active", p.accent_hover)],
        foreground=[("disabled", p.muted)],
        bordercolor=[("focus", p.text)],
        lightcolor=[("focus", p.on_accent), ("disabled", p.line)],
        darkcolor=[("focus", p.on_accent), ("disabled", p.line)],
    )
    _choices(style, look)
    quiet = {"background": p.bar, "bordercolor": p.bar, "lightcolor": p.bar, "darkcolor": p.bar}
    style.configure("Quiet.TButton", **quiet)
    style.map("Quiet.TButton", bordercolor=[("focus", p.accent)], background=[("active", p.line)])
    style.configure("Due.TButton", foreground=p.warning, **quiet)
    style.map("Due.TButton", bordercolor=[("focus", p.accent)], background=[("active", p.line)])
    news = {"background": p.selection, "foreground": p.on_selection, "bordercolor": p.accent}
    style.configure("News.TButton", padding=(look.unit * 2, 0), width=0, lightcolor=p.selection, darkcolor=p.selection)
    style.configure("News.TButton", **news)
    style.map("News.TButton", background=[("active", p.line)], foreground=[("active", p.text)])


def _choices(style: ttk.Style, look: Look) -> None:
    """One of several values side by side: the chosen one is filled, and has a full dot in its text."""
    p = look.palette
    plain = {"background": p.field, "lightcolor": p.field, "darkcolor": p.field, "bordercolor": p.border}
    shape: dict[str, Any] = {"anchor": "w", "wraplength": look.line * 12}
    style.configure("Choice.TButton", padding=(look.unit * 2, max(2, look.unit // 2)), **shape, **plain)
    style.map(
        "Choice.TButton",
        background=[("selected", p.selection), ("active", p.bar)],
        foreground=[("selected", p.on_selection)],
        bordercolor=[("focus", p.accent), ("selected", p.accent)],
        lightcolor=[("focus", p.accent), ("selected", p.selection)],
        darkcolor=[("focus", p.accent), ("selected", p.selection)],
    )
    style.configure("Line.Choice.TButton", wraplength=0)


def _lists(style: ttk.Style, look: Look) -> None:
    p = look.palette
    style.configure("Treeview", background=p.surface, fieldbackground=p.surface, foreground=p.text, borderwidth=0)
    style.map(
        "Treeview",
        background=[("selected focus", p.accent), ("selected", p.selection)],
        foreground=[("selected focus", p.on_accent), ("selected", p.on_selection)],
    )
    heading = {"background": p.bar, "foreground": p.text, "lightcolor": p.bar, "darkcolor": p.bar}
    style.configure("Treeview.Heading", relief="flat", bordercolor=p.line, padding=(4, look.unit), **heading)
    style.map("Treeview.Heading", background=[("active", p.line)])
    # A line around the list, a second one inside while it has the focus.
    area: tuple[str, Any] = ("Treeview.treearea", {"sticky": "nswe"})
    inside: tuple[str, Any] = ("Treeview.padding", {"sticky": "nswe", "children": [area]})
    frame: tuple[str, Any] = ("Treeview.field", {"sticky": "nswe", "border": "1", "children": [inside]})
    style.layout("Treeview", [frame])
    style.configure("Treeview", bordercolor=p.border, lightcolor=p.surface, darkcolor=p.surface)
    if not TK_9:  # which takes it for the padding of each cell, and lets their texts touch
        style.configure("Treeview", padding=1)
    style.map(
        "Treeview", bordercolor=[("focus", p.accent)], lightcolor=[("focus", p.accent)], darkcolor=[("focus", p.accent)]
    )
    style.configure("ComboboxPopdownFrame", relief="solid", borderwidth=1, bordercolor=p.border)
    for orient in ("Vertical", "Horizontal"):
        name = f"{orient}.TScrollbar"
        thumb: tuple[str, Any] = (f"{orient}.Scrollbar.thumb", {"expand": 1, "sticky": "nswe"})
        # No arrow buttons: a trough with a thumb in it, as desktops draw it now.
        style.layout(name, [(f"{orient}.Scrollbar.trough", {"sticky": "nswe", "children": [thumb]})])
        bare = {"troughcolor": p.bar, "bordercolor": p.bar, "lightcolor": p.border, "darkcolor": p.border}
        style.configure(name, background=p.border, **_NO_GRIP, width=round(look.line * 0.75), **bare)
        style.map(
            name,
            background=[("active", p.muted), ("disabled", p.bar)],
            lightcolor=[("disabled", p.bar)],
            darkcolor=[("disabled", p.bar)],
        )
    style.configure("TPanedwindow", background=p.line)
    style.configure("Sash", sashthickness=look.unit + 2, **_NO_GRIP, background=p.bar, lightcolor=p.bar)
    bar = {"background": p.accent, "lightcolor": p.accent, "darkcolor": p.accent, "bordercolor": p.border}
    style.configure("Horizontal.TProgressbar", troughcolor=p.field, thickness=look.unit * 2, **bar)
    style.configure("TSeparator", background=p.line)
