"""The main menu, one class a platform: each follows its platform's guidelines for order, places and keys."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

from .network.destinations import DESTINATIONS, set_up
from .themes import DENSITIES, THEMES, families

FONT_SIZES = (8, 9, 10, 11, 12, 14, 16, 18, 20, 24)


class Command(NamedTuple):
    """A menu entry: its text, the callback's name, and its key on Windows and Linux, and on macOS.

    Keys are Tk sequences without brackets (``Control-Shift-W``); the menu shows them in the platform's way.
    ``by_widget``: the focused widget itself does it with that key. ``bound_elsewhere``: its key has variants, and isn't
    bound with the others either.
    """

    text: str
    callback: str
    key: str = ""
    mac_key: str = ""
    by_widget: bool = False
    bound_elsewhere: bool = False


NEW = Command("New Record", "new_record", "Control-n", "Command-n")
SAVE = Command("Save Record", "save_record", "Control-s", "Command-s")
DISCARD = Command("Discard Draft", "discard_draft")
EXPORT = Command("Export Extract…", "export_extract", "Control-e", "Command-e")
EXPORT_VIEW = Command("Export…", "export_view")
BACK_UP = Command("Back Up Database…", "back_up")
RESTORE = Command("Restore Database…", "restore")
QUIT = Command("Quit", "quit", "Control-q", "Command-q")
EXIT = Command("Exit", "quit", "Control-q")
UNDO = Command("Undo", "undo", "Control-z", "Command-z", by_widget=True)
REDO = Command("Redo", "redo", "Control-y", "Command-Shift-Z", by_widget=True)
CUT = Command("Cut", "cut", "Control-x", "Command-x", by_widget=True)
COPY = Command("Copy", "copy", "Control-c", "Command-c", by_widget=True)
PASTE = Command("Paste", "paste", "Control-v", "Command-v", by_widget=True)
SELECT_ALL = Command("Select All", "select_all", "Control-a", "Command-a", by_widget=True)
TAKE_BACK = Command("Take Back the Last Save", "take_back", "Control-Shift-B", "Command-Shift-B")
WITHDRAW = Command("Withdraw Record…", "withdraw_record")
MOVE = Command("Move Record…", "move_record")
MOVE_CHECK = Command("Move Check…", "move_check")
CORRECT_MANY = Command("Correct Many…", "correct_many")
WITHDRAWN = Command("Withdrawn Records", "show_withdrawn")
MARK = Command("Mark Value…", "mark_value")
WRITE_NOTE = Command("Write Note…", "write_note", "Control-Shift-N", "Command-Shift-N")
WEATHER = Command("Update Weather Data", "update_weather_data", "Control-Shift-W", "Command-Shift-W")
IN_TOOLS = ("rest", "ftp")
"""The destinations that stand in the Tools menu itself; the others have a menu of their own there."""
UPLOADS = tuple(
    Command(f"Upload CSV to corporate {each.name}", f"upload_to_corporate_{each.kind}", each.key, each.mac_key)
    for each in DESTINATIONS
    if each.kind in IN_TOOLS
)
DELIVER_TO = {
    each.kind: Command(
        " ".join(f"{word[0].upper()}{word[1:]}" for word in each.name.split()), f"upload_to_corporate_{each.kind}"
    )
    for each in DESTINATIONS
    if each.kind not in IN_TOOLS
}
DELIVERIES = Command("Deliveries", "show_deliveries", "Control-Shift-D", "Command-Shift-D")
MESSAGES = Command("Messages", "show_messages", "F8", "F8")
ADMINISTRATION = Command(
    "Technicians, Labs and Plots", "show_administration", "Control-Shift-T", "Command-Shift-T"
)
REMOTE_FILES = Command("Remote Files…", "show_remote_files")
CONNECTIONS = Command("Check Connections…", "check_connections", "Control-Shift-C", "Command-Shift-C")
WAITING = Command("Waiting Records", "show_waiting", "Control-Shift-J", "Command-Shift-J")
FORM = Command("Record Form", "show_form", "Control-r", "Command-r")
LIST = Command("Record List", "show_record_list", "Control-l", "Command-l")
PREVIOUS = Command("Previous Record", "previous_record", "Control-Prior", "Command-Up")
NEXT = Command("Next Record", "next_record", "Control-Next", "Command-Down")
PLOT = Command("Go to Plot…", "ask_plot", "Control-g", "Command-g")
PLOTS = Command("Plots of the Check", "show_plots", "Control-Shift-P", "Command-Shift-P")
MISSING = Command("Next Missing Plot", "next_missing", "Control-m", "Command-m")
HISTORY = Command("Record History", "show_history", "Control-Shift-H", "Command-Shift-H")
QUESTIONS = Command("Questions from QA", "show_questions", "Control-Shift-A", "Command-Shift-A")
HANDOVER = Command("Handover", "show_handover", "Control-Shift-O", "Command-Shift-O")
FROM_COLLEAGUES = Command(
    "Messages from Colleagues…", "show_shift_messages", "Control-Shift-M", "Command-Shift-M"
)
ALARMS = Command("Alarms…", "show_alarms")
NOTICES = Command("Notices…", "show_notices", "Control-Shift-I", "Command-Shift-I")
AHEAD = Command("Keys Typed Ahead", "show_typed_ahead", "F9", "F9")
EXTRACTS = Command("Extracts of the Last Days", "show_extracts", "Control-Shift-E", "Command-Shift-E")
TODAY = Command("Today", "show_today", "Control-Shift-Y", "Command-Shift-Y")
CHARTS = Command("Charts", "show_charts", "Control-Shift-G", "Command-Shift-G")
REFRESH = Command("Refresh", "refresh", "F5", "F5")
HELP = Command("Help for This Field", "help_for_field", "F1", "F1")
KEYS = Command("Keyboard Shortcuts", "show_keys", "Shift-F1", "Shift-F1")
ABOUT = Command("About ABQ Data Entry", "about")
LARGER = Command("Larger Text", "larger_text", "Control-+", "Command-+", bound_elsewhere=True)
SMALLER = Command("Smaller Text", "smaller_text", "Control-−", "Command-−", bound_elsewhere=True)
USUAL = Command("Usual Text Size", "usual_text", "Control-0", "Command-0", bound_elsewhere=True)
PREFERENCES_FILE = Command("Show Settings File", "show_settings_file")

FILE_COMMANDS = (NEW, SAVE, DISCARD, EXPORT, EXPORT_VIEW)
BACKUP_COMMANDS = (BACK_UP, RESTORE)
EDIT_GROUPS = (
    (UNDO, REDO), (CUT, COPY, PASTE, SELECT_ALL), (TAKE_BACK,), (WITHDRAW, MOVE, MOVE_CHECK, CORRECT_MANY, WITHDRAWN),
    (MARK, WRITE_NOTE),
)
"""A line stands between groups, here and below."""
EDIT_COMMANDS = tuple(command for group in EDIT_GROUPS for command in group)
TOOLS_COMMANDS = (WEATHER, *UPLOADS, DELIVERIES, REMOTE_FILES, WAITING, MESSAGES, CONNECTIONS, ADMINISTRATION)
GO_GROUPS = (
    (FORM, LIST), (PREVIOUS, NEXT, PLOT, PLOTS, MISSING), (HISTORY, QUESTIONS),
    (HANDOVER, FROM_COLLEAGUES, ALARMS, NOTICES), (EXTRACTS, AHEAD, TODAY, CHARTS), (REFRESH,),
)
GO_COMMANDS = tuple(command for group in GO_GROUPS for command in group)
FONT_COMMANDS = (LARGER, SMALLER, USUAL)
HELP_COMMANDS = (HELP, KEYS)
ALL_COMMANDS = (
    *(*FILE_COMMANDS, *BACKUP_COMMANDS, QUIT, *EDIT_COMMANDS),
    *(*TOOLS_COMMANDS, *GO_COMMANDS, *FONT_COMMANDS, *HELP_COMMANDS),
)

SWITCHES = (
    ("autofill date", "Autofill Date"),
    ("autofill sheet data", "Autofill Check and Plot"),
    ("implied decimals", "Implied Decimals: 2409 Is 24.09"),
    ("auto advance", "Go On after Two Decimals"),
    ("sound", "Sound at an Error"),
)
"""The settings of each user that are on or off, with their texts in the Options menu."""

Callbacks = Mapping[str, Callable[..., object]]


class MainMenu(tk.Menu):
    """What the menus of all platforms share. Subclasses determine which menus there are, and their contents.

    ``callbacks``: by the names of the commands; ``settings``: the Tk variables behind the Options menu. The menus are
    in the menu bar at once, but get their entries from :meth:`fill`, since creating those takes Tk some time.
    """

    order: tuple[str, ...] = ("File", "Edit", "Go", "Tools", "Options", "Help")
    mac = False

    def __init__(self, parent: tk.Misc, callbacks: Callbacks, settings: Mapping[str, tk.Variable]) -> None:
        super().__init__(parent, tearoff=False)
        self._callbacks = callbacks
        self._settings = settings
        self._entries: list[tuple[tk.Menu, int, str]] = []
        self._menus: dict[str, tk.Menu] = {}
        self._filled = False
        self._further: tk.Menu | None = None
        self._of_settings = 0
        _show_marks(self.winfo_toplevel())
        self.make_before()
        for name in self.order:
            self._menus[name] = self.make_menu(name)
            self.add_cascade(label=name, menu=self._menus[name], underline=-1 if self.mac else 0)

    def fill(self) -> None:
        """Give the menus their entries, once."""
        if self._filled:
            return
        self._filled = True
        makers: dict[str, Callable[[tk.Menu], object]] = {
            "File": self.make_file_menu,
            "Edit": lambda menu: self.add_groups(menu, EDIT_GROUPS),
            "Tools": self.make_tools_menu,
            "Options": self.make_options_menu,
            "Go": lambda menu: self.add_groups(menu, GO_GROUPS),
            "Help": self.make_help_menu,
        }
        for name, menu in self._menus.items():
            makers[name](menu)

    def make_before(self) -> None:
        """Create menus that come before the others, on platforms with a menu of the application itself."""

    def make_menu(self, name: str) -> tk.Menu:
        """Return an empty menu; some platforms know it by a special name."""
        return tk.Menu(self, tearoff=False)

    def make_file_menu(self, menu: tk.Menu) -> None:
        """New, save, export; and Quit or Exit, on platforms that have it in this menu."""
        self.add_groups(menu, (FILE_COMMANDS, BACKUP_COMMANDS, (QUIT,)))

    def ask_before_editing(self, offered: Callable[[], Container[str]]) -> None:
        """Whenever the Edit menu opens, grey the commands that ``offered()`` doesn't name.

        ``offered()`` returns the callbacks that the focused widget supports.
        """
        menu, by_widget = self._menus["Edit"], {command.callback for command in EDIT_COMMANDS if command.by_widget}

        def grey() -> None:
            names = offered()
            for of, index, callback in self._entries:
                if of is menu and callback in by_widget:
                    menu.entryconfigure(index, state="normal" if callback in names else "disabled")

        menu.configure(postcommand=grey)

    def make_tools_menu(self, menu: tk.Menu) -> None:
        """Weather, deliveries and the rest; further destinations in a menu of their own, if any is set up."""
        after = TOOLS_COMMANDS.index(UPLOADS[-1]) + 1
        self.add_commands(menu, TOOLS_COMMANDS[:after])
        values = {name: variable.get() for name, variable in self._settings.items()}
        further = tuple(DELIVER_TO[each.kind] for each in set_up(values) if each.kind in DELIVER_TO)
        if further:
            self.add_commands(self._deliver_to(menu), further)
        self._of_settings = len(further)
        self.add_commands(menu, TOOLS_COMMANDS[after:])

    def _deliver_to(self, tools: tk.Menu) -> tk.Menu:
        """Return the menu of further destinations, below those that stand in the Tools menu; made with the first of
        them."""
        if self._further is None:
            self._further = tk.Menu(tools, tearoff=False)
            place = TOOLS_COMMANDS.index(UPLOADS[-1]) + 1
            tools.insert_cascade(place, label="Deliver to", menu=self._further)
            self._entries = [
                (menu, index + (menu is tools and index >= place), callback) for menu, index, callback in self._entries
            ]
        return self._further

    def offer_destinations(self, named: Sequence[tuple[str, Callable[[], object]]]) -> None:
        """Offer these destinations of the database below those of the settings, in the place of those before."""
        if not (named or self._further) or not self._filled:
            return
        menu = self._deliver_to(self._menus["Tools"])
        last = menu.index("end")
        if last is not None and last >= self._of_settings:  # Tk takes a number beyond the end for the last entry
            menu.delete(self._of_settings, "end")
        self._entries = [each for each in self._entries if each[0] is not menu or each[1] < self._of_settings]
        for label, command in named:
            menu.add_command(label=label, command=command)
            # Disabled together with those that stand in the Tools menu itself.
            self._entries.append((menu, int(menu.index("end") or 0), UPLOADS[0].callback))

    def make_help_menu(self, menu: tk.Menu) -> None:
        """Help for a field, the keys, about."""
        self.add_groups(menu, (HELP_COMMANDS, (ABOUT,)))

    def make_options_menu(self, menu: tk.Menu) -> None:
        """Autofills, font size, theme, density; each takes effect at once."""
        for name, text in SWITCHES:
            menu.add_checkbutton(label=text, variable=self._settings[name])
        menu.add_separator()
        sizes = [(f"{size} points", size) for size in FONT_SIZES]
        self._add_choice(menu, "Font Size", "font size", sizes)
        self.add_commands(menu, FONT_COMMANDS)
        self._add_fonts(menu)
        self._add_choice(menu, "Theme", "theme", [(text, name) for name, text in THEMES.items()])
        self._add_choice(menu, "Density", "density", [(name.capitalize(), name) for name in DENSITIES])
        menu.add_separator()
        self.add_commands(menu, (PREFERENCES_FILE,))

    def add_commands(self, menu: tk.Menu, commands: tuple[Command, ...]) -> None:
        """Append ``commands``, each with its key beside it."""
        for command in commands:
            key = command.mac_key if self.mac else command.key
            menu.add_command(
                label=command.text, command=self._callbacks[command.callback], accelerator=shown_key(key, self.mac)
            )
            self._entries.append((menu, int(menu.index("end") or 0), command.callback))

    def add_groups(self, menu: tk.Menu, groups: Sequence[tuple[Command, ...]]) -> None:
        """Append the commands of all groups, with a line between two groups."""
        for number, group in enumerate(groups):
            if number:
                menu.add_separator()
            self.add_commands(menu, group)

    def offer(self, denied: Container[str]) -> None:
        """Grey the commands whose callbacks are ``denied``, and offer all others."""
        for menu, index, callback in self._entries:
            menu.entryconfigure(index, state="disabled" if callback in denied else "normal")

    def _add_fonts(self, menu: tk.Menu) -> None:
        # Listing all fonts of a computer takes a while, so it waits until somebody opens this menu.
        fonts = tk.Menu(menu, tearoff=False)

        def fill() -> None:
            fonts.delete(0, "end")
            for text, value in (("The desktop's own", ""), *((name, name) for name in families(self))):
                fonts.add_radiobutton(label=text, value=value, variable=self._settings["font family"])

        fonts.configure(postcommand=fill)
        menu.add_cascade(label="Font", menu=fonts)

    def _add_choice(self, menu: tk.Menu, label: str, setting: str, values: Sequence[tuple[str, object]]) -> None:
        choices = tk.Menu(menu, tearoff=False)
        for text, value in values:
            choices.add_radiobutton(label=text, value=value, variable=self._settings[setting])
        menu.add_cascade(label=label, menu=choices)


def _show_marks(window: tk.Misc) -> None:
    """Recolour check marks on X11: Tk draws all in one colour, but the selected line needs that of its text."""

    def recolour(event: tk.Event) -> None:
        # By its path: the open menu is a copy that Tk made for the menu bar, and tkinter has no object for it.
        menu, call = str(event.widget), window.tk.call
        active, last = str(call(menu, "index", "active")), str(call(menu, "index", "end"))
        for index in range(int(last) + 1 if last.isdigit() else 0):
            if str(call(menu, "type", index)) in ("checkbutton", "radiobutton"):
                option = "-activeforeground" if str(index) == active else "-foreground"
                call(menu, "entryconfigure", index, "-selectcolor", call(menu, "cget", option))

    if str(window.tk.call("tk", "windowingsystem")) == "x11":
        window.bind_class("Menu", "<<MenuSelect>>", recolour)


class LinuxMainMenu(MainMenu):
    """GNOME and KDE: Quit with Ctrl+Q in File; settings before help."""


class WindowsMainMenu(MainMenu):
    """Windows: Exit in File, Tools and its options last before Help."""

    def make_file_menu(self, menu: tk.Menu) -> None:
        """The program ends with Exit."""
        self.add_groups(menu, (FILE_COMMANDS, BACKUP_COMMANDS, (EXIT,)))


class MacOsMainMenu(MainMenu):
    """macOS: About and Quit in the application's own menu, a Window menu, Help as the system's."""

    mac = True

    def make_before(self) -> None:
        """The application's own menu; the system adds Hide and Quit to it."""
        menu = tk.Menu(self, name="apple", tearoff=False)
        self.add_commands(menu, (ABOUT,))
        menu.add_separator()
        self.add_cascade(label="ABQ Data Entry", menu=menu)

    def make_menu(self, name: str) -> tk.Menu:
        """Help has the name by which the system finds it."""
        return tk.Menu(self, name="help", tearoff=False) if name == "Help" else super().make_menu(name)

    def make_file_menu(self, menu: tk.Menu) -> None:
        """Quit isn't here: the system puts it into the application's menu."""
        self.add_groups(menu, (FILE_COMMANDS, BACKUP_COMMANDS))

    def make_help_menu(self, menu: tk.Menu) -> None:
        """About isn't here either."""
        self.add_commands(menu, HELP_COMMANDS)


def menu_class(windowing_system: str) -> type[MainMenu]:
    """Return the menu class for Tk's windowing system: ``x11``, ``win32`` or ``aqua``."""
    return {"win32": WindowsMainMenu, "aqua": MacOsMainMenu}.get(windowing_system, LinuxMainMenu)


def shown_key(key: str, mac: bool) -> str:
    """Return a Tk key sequence as the platform's menus write it (``Control-Shift-W`` → ``Ctrl+Shift+W``)."""
    names = {"Control": "Ctrl", "Prior": "Page Up", "Next": "Page Down"}
    parts = [names.get(part, part.upper() if len(part) == 1 else part) for part in key.split("-")] if key else []
    # Tk's Aqua draws ⌘ and ⇧ from the words itself.
    return ("-" if mac else "+").join(parts)


def bind_keys(window: tk.Misc, callbacks: Callbacks, mac: bool) -> None:
    """Bind the keys of all commands to ``window``; letters with Caps Lock too."""
    for command in ALL_COMMANDS:
        key = command.mac_key if mac else command.key
        if not key or command.by_widget or command.bound_elsewhere:
            continue
        keys = {key}
        if key[-2] == "-":
            # Caps Lock makes a capital of a small letter, and with Shift a small one of a capital.
            keys.add(key[:-1] + key[-1].swapcase())
        for each in keys:
            if each != key and any(each == (other.mac_key if mac else other.key) for other in ALL_COMMANDS):
                continue
            window.bind(f"<{each}>", lambda _event, name=command.callback: _call(callbacks[name]))  # type: ignore[misc]


def _call(callback: Callable[..., object]) -> str:
    callback()
    return "break"


def keys_text(mac: bool) -> list[tuple[str, str]]:
    """All keys for the overview: (key, what it does)."""
    form = [
        ("Enter", "Next required field; from Median Height or Notes: save, next plot"),
        ("Shift+Enter", "Line break in Notes"),
        ("Tab, Shift+Tab", "Next, previous field"),
        ("Ctrl+1 … Ctrl+2 0", "Go to the plot of that number (hold Ctrl, type it)"),
        ("←, →, Home, End", "In the strip of plots (Shift+Tab in Date): another plot; Enter goes there"),
        ("Space, Y, N", "Equipment fault"),
        ("*", "Equipment fault on or off, from any number, date or list"),
        ("Ctrl+Enter", "Save, from anywhere in the form"),
        ("Ctrl+/, Ctrl+*", "Previous, next record (on the number pad)"),
        ("Page Up, Page Down", "The same there, without Num Lock"),
        ("Alt+Down", "Open a list; in Date: the calendar"),
        ("↑, ↓ in Date", "A day on, a day back"),
        ("Alt+Enter", "Take the value that the line below a field offers (24.09?)"),
        ("F7", "All plots of a colleague's check get your name, where the window asks"),
        ("F6", "Keep a date that the window asks about"),
        ("Esc", "Close help, a message or a dialog"),
    ]
    commands = [
        (shown_key(command.mac_key if mac else command.key, mac), command.text)
        for command in ALL_COMMANDS
        if command.key
    ]
    return [(key.replace("Ctrl", "Cmd") if mac else key, text) for key, text in form] + commands


__all__ = ["LinuxMainMenu", "MacOsMainMenu", "MainMenu", "WindowsMainMenu", "bind_keys", "keys_text", "menu_class"]
