"""The visible window: menu, form, list and status bar, their look and layout. A subclass gives them their functions."""

from __future__ import annotations

import logging
import re
import tkinter as tk
from collections.abc import Callable, Container, Sequence
from contextlib import suppress
from pathlib import Path
from tkinter import ttk
from tkinter.font import nametofont
from typing import TYPE_CHECKING, Any, Literal

from .. import folders
from ..constants import APPLICATION_NAME, SETTINGS_FILE
from ..jobs import Jobs
from ..mainmenu import MainMenu, menu_class
from ..models.settings import SettingsModel
from ..themes.look import Spacing
from .input_methods import put_off_input_methods, resume_input_methods
from .interpreter import Meanwhile
from .preferences import Preferences, Settings, apply_look, month_first
from .root import Root
from .state import State

if TYPE_CHECKING:
    from _tkinter import TkappType

    from ..views import DataRecordForm

# In pixels of a screen of 96 dots an inch; USUAL_LINE is the height of a line of the usual font.
MINIMUM_WIDTH = 900
SMALLEST, FIRST = (640, 480), (1180, 860)
USUAL_LINE = 15
USUAL_SCALING = 96 / 72
LIST_LINES = 7
# Title bar, menu and the desktop's panel; Tk knows their heights only once the window is on the screen.
FRAME_HEIGHT = 96
View = Literal["form", "list"]


class Size:
    """The size and position of the window on the screen."""

    def __init__(self, window: tk.Tk) -> None:
        self._window = window
        self._first: tuple[int, int] | None = None

    @property
    def scale(self) -> float:
        """The height of a line of text, relative to the usual font on a screen of 96 dpi."""
        return max(1.0, nametofont("TkDefaultFont", self._window).metrics("linespace") / USUAL_LINE)

    def restore(self, geometry: str) -> None:
        """Give the window its last size, within the present screen; at the first start, one that suits the screen."""
        screen = self._window.winfo_screenwidth(), self._window.winfo_screenheight()
        match = re.fullmatch(r"(\d+)x(\d+)(?:\+(-?\d+)\+(-?\d+))?", geometry)
        dots = max(1.0, float(self._window.tk.call("tk", "scaling")) / USUAL_SCALING)
        self._window.minsize(min(round(SMALLEST[0] * dots), screen[0]), min(round(SMALLEST[1] * dots), screen[1]))
        if match is None:
            self._suit_screen()
            return
        width, height = min(int(match[1]), screen[0]), min(int(match[2]), screen[1] - FRAME_HEIGHT)
        place = ""
        if match[3] is not None and 0 <= int(match[3]) < screen[0] - 100 and 0 <= int(match[4]) < screen[1] - 100:
            place = f"+{match[3]}+{match[4]}"
        self._window.geometry(f"{width}x{height}{place}")

    def remember(self, variable: tk.Variable) -> None:
        """Keep size and position for the next start."""
        if self._window.state() == "normal":
            variable.set(self._window.geometry())

    def suit_look(self) -> None:
        """Resize a window of the first start, unless the user has, because the text turned out to have another size."""
        if self._first == (self._window.winfo_width(), self._window.winfo_height()):
            self._suit_screen()

    def _suit_screen(self) -> None:
        """Give the window a size in which form and list are both visible, within the screen."""
        width = min(round(FIRST[0] * self.scale), self._window.winfo_screenwidth())
        height = min(round(FIRST[1] * self.scale), self._window.winfo_screenheight() - FRAME_HEIGHT)
        self._first = width, height
        self._window.geometry(f"{width}x{height}")


class Layout:
    """Arranges the two views in ``pane``; ``size`` is that of the window."""

    def __init__(
        self, window: tk.Tk, size: Size, pane: ttk.PanedWindow, form: DataRecordForm, records: ttk.Frame
    ) -> None:
        self._window, self._size, self._pane, self._form = window, size, pane, form
        self._views: dict[View, ttk.Frame] = {"form": form, "list": records}
        self._front: View = "form"
        self._shown: tuple[View, ...] = ()
        self._wanted = 0
        form.layout.on_resize(self._arrange)
        self.resized: Callable[[], object] = lambda: None
        """Called when the space for form and list has changed."""
        pane.bind("<Configure>", lambda _event: self._resized())

    @property
    def shown(self) -> tuple[View, ...]:
        """Return which views are visible now."""
        return self._shown

    def show(self, view: View) -> None:
        """Bring ``view`` to the front if only one fits."""
        self._front = view
        self._arrange()

    def has_room(self, height: int, taken: int) -> bool:
        """Return whether form and list are both visible with ``height`` pixels less, of which ``taken`` are in use
        already."""
        return len(self._shown) == 2 and self._pane.winfo_height() + taken - height >= self._wanted_for_both

    @property
    def _wanted_for_both(self) -> int:
        """Return the height in pixels that form and list need together."""
        row = int(ttk.Style(self._window).lookup("Treeview", "rowheight") or 20)
        return self._form.layout.wanted_height + LIST_LINES * row

    def fit(self) -> None:
        """Arrange both again, because fonts or spacing have changed."""
        self._window.after_idle(self._fit)

    def _fit(self) -> None:
        # Later, because Tk knows the new sizes only after it has laid out the widgets.
        self._window.update_idletasks()
        self._arrange()
        self._window.update_idletasks()
        if len(self._shown) == 2:
            self._pane.sashpos(0, self._form.layout.wanted_height)
        self.resized()  # called here, because the pane may have kept its height, and then sends no event

    def _resized(self) -> None:
        self._arrange()
        self.resized()

    def _arrange(self) -> None:
        form, records = self._views["form"], self._views["list"]
        self._form.layout.arrange()
        needs = self._form.layout.wanted_height
        is_wide = self._pane.winfo_width() >= MINIMUM_WIDTH * self._size.scale
        both = is_wide and self._pane.winfo_height() >= self._wanted_for_both
        shown: tuple[View, ...] = ("form", "list") if both else (self._front,)
        if shown == self._shown:
            if both and needs != self._wanted:
                self._wanted = needs
                self._pane.sashpos(0, needs)
                self._window.after_idle(self.resized)
            return
        self._wanted = 0  # the sash is placed again once both views are visible
        self._shown = shown
        for pane in self._pane.panes():
            self._pane.forget(pane)
        if "form" in shown:
            self._pane.add(form, weight=0)
        if "list" in shown:
            self._pane.add(records, weight=1)
        self._window.after_idle(self.resized)  # once both are placed


log = logging.getLogger(__name__)
SCREEN_POLL_MS = 5
FOCUS_PATIENCE_MS = 300
DRAWING_MS = 25  # in which the window draws itself
DEFAULT_UNIT = 4


def _import_views() -> None:
    with suppress(Exception):  # the import is repeated where it is needed, and fails there
        from .. import views  # noqa: F401
        from . import keys, messages  # noqa: F401


class MainWindow(Root):
    """``callbacks`` are the functions of menus and keys, by name; ``settings`` the Tk variables of the settings file;
    ``status`` the text of the status bar; ``shared`` the state that the parts of the application share."""

    def __init__(self, interpreter: TkappType | None = None) -> None:
        with Meanwhile(_import_views):
            super().__init__(interpreter)
            self._prepare()
        from ..widgets.focus import start_counting
        from .keys import EditCommands, FontKeys
        from .messages import Messages

        start_counting(self)
        self.jobs = Jobs(self)
        self.messages = Messages(self)
        self.status = tk.StringVar(self)
        self.shared = State()
        self._denied: Container[str] = ()
        self._destinations: Sequence[tuple[str, Callable[[], object]]] = ()
        self._choices: Any = None
        self._spacing = Spacing()
        self.preferences = Preferences(
            self, self.own_settings, self.jobs, self.messages, self.show_look, self.own_size.suit_look
        )
        self.edit_commands = EditCommands(self)
        usual = int(self.settings_model.default("font size"))
        self.font_keys = FontKeys(self.settings["font size"], usual, self.status.set)

    def _prepare(self) -> None:
        """Set look, menu and size; the window isn't shown yet."""
        self.withdraw()
        self._input_methods_wait = put_off_input_methods(self)
        self.title(APPLICATION_NAME)
        self._set_icon()
        self.settings_model = SettingsModel(SETTINGS_FILE, str(folders.config_folder()))
        self.own_settings = Settings(self, self.settings_model)
        self.settings = self.own_settings.variables
        self.look = apply_look(self, self.settings)
        self.commands_by_name: dict[str, Callable[..., object]] = {}
        self.main_menu = self._make_menu()
        self.configure(menu=self.main_menu)
        self.own_size = Size(self)
        self.own_size.restore(str(self.settings["window geometry"].get()))

    def build(self) -> None:
        """Create the form, the space for the list, and the status bar; their callbacks are set later."""
        from ..views import DataRecordForm, FormCallbacks
        from ..widgets import StatusBar
        from ..widgets.field_input import FieldHelp

        self.columnconfigure(0, weight=1)
        self.rowconfigure(0, weight=1)
        pane = ttk.PanedWindow(self, orient="vertical")
        pane.grid(row=0, column=0, sticky="nsew")
        self.form = DataRecordForm(pane, FormCallbacks(), self.settings, self.shared.today, month_first)
        self._list_room = ttk.Frame(pane)
        self.status_bar = StatusBar(self, self.status, lambda: self.form.focus_first_empty())
        self.status_bar.grid(row=2, column=0, sticky="ew")
        ahead, messages = self.form.type_ahead.line, self.status_bar.messages
        messages.set_overlay(ahead)
        ahead.host, ahead.comes_or_goes = messages, messages.overlay_changed
        self.field_help = FieldHelp(self)
        self.layout = Layout(self, self.own_size, pane, self.form, self._list_room)
        self.messages.bar = messages
        self.shared.technician = self.form.confirmation
        self.shared.follow(State.read_only, self.form.shown_record.show_read_only)

    def make_list(self) -> None:
        """Create the record list in the space reserved for it."""
        from ..views import RecordList

        self.record_list = RecordList(self._list_room, today=self.shared.today, month_first=month_first)
        self.record_list.pack(fill="both", expand=True)
        self._spacing.scale(self, self.look.unit / DEFAULT_UNIT)
        self.record_list.page.adapt_to_look()

    def show(self) -> None:
        """Show the window."""
        from ..widgets import clipboard
        from ..widgets.focus import let_enter_press

        clipboard.replace_tk_paste(self)
        let_enter_press(self)
        self._spread_look()
        self.deiconify()
        self.form.focus_first_empty()

    def await_screen(self, then: Callable[[], object], patience_ms: int = FOCUS_PATIENCE_MS) -> None:
        """Call ``then()`` once the window takes keys, so that background work doesn't delay it."""
        takes_keys = self.form.focused is not None
        # Only for a limited time, because the user may have gone to another program.
        if self.winfo_viewable() and (takes_keys or patience_ms <= 0):
            self.after(DRAWING_MS, self._on_screen, then)
        else:
            self.after(SCREEN_POLL_MS, self.await_screen, then, patience_ms - SCREEN_POLL_MS)

    def _on_screen(self, then: Callable[[], object]) -> None:
        if self._input_methods_wait:
            resume_input_methods(self)
        then()

    # -- look and menu --------------------------------------------------------------------------------------

    def show_look(self) -> None:
        """Apply a changed theme, font size or density to everything that is open."""
        self.look = self.preferences.apply_look()
        self.spread_look()

    def spread_look(self) -> None:
        """Apply the look to everything that is open, and make the menu again."""
        # The menu is replaced, because it keeps the colours with which it was created.
        previous, self.main_menu = self.main_menu, self._make_menu()
        self.fill_menu()
        previous.destroy()
        self.configure(menu=self.main_menu)
        self._spread_look()

    def _make_menu(self) -> MainMenu:
        return menu_class(self.tk.call("tk", "windowingsystem"))(self, self.commands_by_name, self.settings)

    def _spread_look(self) -> None:
        self._spacing.scale(self, self.look.unit / DEFAULT_UNIT)
        self.form.layout.show_look(self.look)
        if self._list_room.winfo_children():
            self.record_list.page.adapt_to_look()
        self.layout.fit()

    def fill_menu(self) -> None:
        """Fill the menus; called after the window is shown, because Tk takes long for it."""
        self.main_menu.fill()
        self.main_menu.ask_before_editing(self.edit_commands.offered)
        self.main_menu.offer_destinations(self._destinations)
        self.offer_commands(self._denied)

    def offer_destinations(self, named: Sequence[tuple[str, Callable[[], object]]]) -> None:
        """Offer destinations of the database in the Tools menu, by their names."""
        self._destinations = named
        self.main_menu.offer_destinations(named)
        self.main_menu.offer(self._denied)

    def offer_commands(self, denied: Container[str]) -> None:
        """Grey in the menus what the login may not do, by the names of the callbacks."""
        self._denied = denied
        self.main_menu.offer(denied)

    @property
    def shows_form(self) -> bool:
        """Whether the form is visible now; in a small window the list may be in front."""
        return "form" in self.layout.shown

    def show_form(self) -> None:
        """Bring the form to the front if only one view fits."""
        self.layout.show("form")

    def show_record_list(self) -> None:
        """Go to the record list."""
        self.layout.show("list")
        self.record_list.focus_set()

    def connection_lost(self, text: str, retry: Callable[[], object]) -> None:
        """Say that there is no database; the list offers to try again."""
        self.status_bar.show_connection("No database", warning=True)
        self.record_list.show_problem(text, self.messages.command(retry))

    def show_in_list(self, text: str, retry: Callable[[], object] | None) -> None:
        """Say in the list why nothing is listed."""
        if retry is None:
            self.record_list.page.show_message(text)
        else:
            self.record_list.show_problem(text, self.messages.command(retry))

    def show_choices(self, choices: Any) -> None:
        """Show these lists in the form and in the record list."""
        if choices == self._choices:
            return
        self._choices = choices
        self.form.show_choices(choices.technicians, choices.labs, choices.plots, choices.seed_samples)
        self.record_list.show_choices(choices.all_technicians, choices.all_labs, choices.all_plots)

    def remember_size(self) -> None:
        """Keep the window's size and place for the next start."""
        self.own_size.remember(self.settings["window geometry"])

    # -- errors ---------------------------------------------------------------------------------------------

    interrupted = False
    """Whether Ctrl-C, or a signal with the same meaning, came during a callback."""

    def report_callback_exception(self, exc: Any, val: Any, tb: Any) -> None:
        """Log an error in a callback, and tell the user in a sentence. Ctrl-C is noted for whoever runs the window."""
        if issubclass(exc, KeyboardInterrupt):
            self.interrupted = True
            return
        log.critical("error in the window", exc_info=(exc, val, tb))
        self.status.set(f"Something went wrong ({exc.__name__}); the details are in the log file")

    def _set_icon(self) -> None:
        folder = Path(__file__).resolve().parent.parent / "images"
        icons = [tk.PhotoImage(master=self, file=folder / f"icon-{size}.png") for size in (64, 32, 16)]
        self.iconphoto(True, *icons)
        self._icons = icons  # keeps a reference, without which Tk would drop the image
