"""What lab staff does in the course of the day, by keyboard and menu."""

from collections.abc import Callable

from ..constants import FieldNames as F
from ..views import LoginDialog
from ..views.dialogs import Dialog
from . import DemoFailed
from .environment import Login
from .readings import PlotReading
from .stage import Photographer, Stage

TIME = "8:00"
TOO_COLD, SLIP_PLOT = "3", 3


class Technician:
    """Sits at the keyboard. `pace`: how much slower than in a hurry, so that people can follow."""

    def __init__(self, stage: Stage, photographer: Photographer, pace: float) -> None:
        self._stage = stage
        self._take = photographer.take
        self._pace = pace
        self._form = stage.window.form

    def begin_check(self) -> None:
        """Time, lab and technician; the plot and its seed sample fill themselves."""
        stage, key = self._stage, 0.12 * self._pace
        stage.wait_until(lambda: stage.window.status.get() == "Ready", "The database's answer")
        stage.take_focus()
        self._expect_focus(F.TIME)
        self._take("ready", "The window is open, the database answers, the focus waits at the time.")
        stage.write("8", key)
        stage.press("Return", key)
        stage.write("a", key)
        stage.press("Return", key)
        stage.write("j", key)
        stage.wait_until(lambda: self._form.check.known, "What is known of the check")
        stage.press("Return", key)
        self._expect_focus(F.HUMIDITY)

    def record(self, reading: PlotReading) -> None:
        """One plot: its values, an Enter after each; Enter in the last one saves."""
        # The first plots at a pace that people can follow, the others as fast as the window takes them.
        key = {1: 0.055, 2: 0.03, 3: 0.02}.get(reading.plot, 0.002) * self._pace
        self._stage.wait_until(lambda: self._shows_plot(reading.plot), f"Plot {reading.plot} in the form")
        if reading.fault:
            self._type_faulty(reading, key)
        elif reading.plot == SLIP_PLOT:
            self._type_with_slip(reading, key)
        else:
            self._type_values(reading.values, key, picture=reading.plot == 1)
        number = self._form.check.recorded
        self._stage.wait_until(
            lambda: reading.plot in self._form.check.recorded and not self._form.saving,
            f"Saving plot {reading.plot} (recorded so far: {len(number)})",
        )

    def fetch_weather(self) -> None:
        """Tools, Update Weather Data."""
        self._stage.choose("Tools", "Update Weather Data")
        self._expect_status(lambda text: text.startswith("Weather data recorded for "), "Recording the weather")
        self._take("weather", "The weather is fetched and stored from the Tools menu; the status bar says so.")

    def deliver(self, command: str, login: Login, success: str, name: str) -> None:
        """Tools, one of the uploads: log in by keyboard, wait for the confirmation."""
        stage, key = self._stage, 0.05 * self._pace
        stage.choose("Tools", command)
        stage.wait_until(self._login_dialog, f"The login for {command}")
        dialog = self._login_dialog()
        stage.wait_until(lambda: dialog.focus_get() is dialog.first_focus(), "The focus in the login")
        stage.write(login.username, key)
        stage.press("Return", key)
        stage.write(login.password, key)
        self._take(f"login-{name}", f"{command}: the login is asked for when it is needed.")
        if name == "rest":
            self._take("dialog-login", "The login by itself.", dialog)
        stage.press("Return", key)
        self._expect_status(lambda text: text == success, command)
        self._take(f"delivered-{name}", f"{success}")

    def deliver_to_share(self, command: str, success: str) -> None:
        """Tools, Deliver to: nobody logs in at a shared folder."""
        self._stage.choose("Tools", "Deliver to", command)
        self._expect_status(lambda text: text == success, command)

    def switch_theme(self, theme: str) -> None:
        """Options, Theme."""
        self._stage.window.settings["theme"].set(theme)
        self._stage.play(0.1)

    def _type_values(self, values: dict[str, str], key: float, picture: bool = False) -> None:
        last = list(values)[-1]
        for name, text in values.items():
            self._expect_focus(name)
            self._stage.write(text, key)
            if picture and name == F.PLANTS:
                self._take("typing", "A value and an Enter: the previous reading of the plot stands below each field.")
            # After the last one the plot is saved; waiting here would be waiting for that.
            self._stage.press("Return", 0.0 if name == last else key)

    def _type_with_slip(self, reading: PlotReading, key: float) -> None:
        """A temperature that is out of range is marked at once, and not saved."""
        temperature = self._form.inputs[F.TEMPERATURE]
        names = list(reading.values)
        before, rest = (names[: names.index(F.TEMPERATURE)], names[names.index(F.TEMPERATURE) :])
        self._type_values({name: reading.values[name] for name in before}, key)
        self._type_values({F.TEMPERATURE: TOO_COLD}, key)
        self._expect_focus(F.TEMPERATURE)  # Enter stays where something is wrong
        if not temperature.error or self._form.saving:
            raise DemoFailed(f"A temperature of {TOO_COLD} °C was not refused.")
        self._take("out-of-range", "A value out of range: told beside the field, and the record is not saved.")
        self._stage.play(0.5 * self._pace)
        self._stage.press("BackSpace", key)
        self._type_values({name: reading.values[name] for name in rest}, key)

    def _type_faulty(self, reading: PlotReading, key: float) -> None:
        """Tab to Equipment Fault, y; the three readings are disabled and skipped. A note at the end."""
        for name in (F.LIGHT, F.TEMPERATURE, F.EQUIPMENT_FAULT):
            self._stage.press("Tab", key)
            self._expect_focus(name)
        self._stage.press("y", key)
        self._stage.press("Return", key)
        names = list(reading.values)
        for name in names:
            self._expect_focus(name)
            self._stage.write(reading.values[name], key)
            self._stage.press("Tab" if name == names[-1] else "Return", key)
        self._expect_focus(F.NOTES)
        self._stage.write(reading.notes, max(key, 0.01 * self._pace))
        self._take("fault", "An equipment fault: the three readings are disabled, a note says why.")
        self._stage.press("Return", key)

    def _shows_plot(self, plot: int) -> bool:
        form = self._form
        focused = form.focused
        return form.inputs[F.PLOT].text == str(plot) and focused is not None and focused.name == F.HUMIDITY

    def _expect_focus(self, name: str) -> None:
        def there() -> bool:
            focused = self._form.focused
            return focused is not None and focused.name == name

        self._stage.wait_until(there, f"The focus at {name}")

    def _expect_status(self, expected: Callable[[str], bool], what: str) -> None:
        def settled() -> bool:
            dialog = self._dialog()
            if dialog is not None:
                raise DemoFailed(f"{what} failed: {dialog.message}. {dialog.detail}")
            return expected(self._stage.window.status.get())

        self._stage.wait_until(settled, what)

    def _dialog(self) -> Dialog | None:
        return next((each for each in self._stage.window.winfo_children() if isinstance(each, Dialog)), None)

    def _login_dialog(self) -> LoginDialog:
        dialog = self._dialog()
        if dialog is not None and not isinstance(dialog, LoginDialog):
            raise DemoFailed(f"{dialog.message}. {dialog.detail}")
        return dialog  # type: ignore[return-value]  # None: not yet there
