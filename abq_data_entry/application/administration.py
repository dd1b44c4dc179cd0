"""Opens the window of technicians, labs and plots, and runs its commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..views.administration import AdministrationCallbacks, AdministrationWindow, MasterData
from ..views.side_window import brought_up
from .messages import reason_of

if TYPE_CHECKING:
    import tkinter as tk

    from ..jobs import Jobs
    from ..models import SQLModel
    from .messages import ShowStatus


def show_administration(
    parent: tk.Misc, model: SQLModel | None, jobs: Jobs, show_status: ShowStatus, show_choices: Callable[[Any], object]
) -> AdministrationWindow | None:
    """Show the window, or bring the open one to the front; ``show_choices(choices)`` gets changed lists."""
    shown = brought_up(parent, AdministrationWindow)
    if shown is not None:
        shown.entries["number"].focus_set()
        return shown
    if model is None:
        show_status("The database isn't open yet")
        return None

    def run(part: str, work: Callable[[], str]) -> None:
        def done(result: tuple[str, MasterData, Any]) -> None:
            said, master_data, choices = result
            window.show_master_data(master_data, part, said)
            show_choices(choices)
            if said and not window.winfo_exists():
                show_status(said)

        def failed(error: BaseException) -> None:
            reason = reason_of(error).replace("\n\n", " ")
            window.show_error(part, reason)
            if not window.winfo_exists():  # closed meanwhile: then the status line says it
                show_status(reason)

        jobs.submit("database", lambda: (work(), *_master_data(model)), done=done, failed=failed)

    def add_technician(number: int, name: str) -> None:
        run("technician", lambda: _answer(model.add_technician(number, name), f"{name} added as {number}."))

    def add_lab(lab: str, plots: int) -> None:
        run("lab", lambda: _answer(model.add_lab(lab, plots), f"Lab {lab} added."))

    def save_plot(lab: str, plot: int, seed: str) -> None:
        run("plot", lambda: _save_plot(model, lab, plot, seed))

    def rename(number: int, name: str) -> None:
        run("technician", lambda: f"{model.rename_technician(number, name)} is {name} from now on.")

    def retire(part: str, key: tuple[Any, ...], retired: bool) -> None:
        offered = "is no longer offered for new records" if retired else "is offered for new records again"
        run(part, lambda: f"{_named(part, key, _RETIRE[part](model, *key, retired))} {offered}.")

    def remove(part: str, key: tuple[Any, ...]) -> None:
        run(part, lambda: f"{_named(part, key, _REMOVE[part](model, *key))} removed.")

    callbacks = AdministrationCallbacks(
        lambda: run("technician", lambda: ""), add_technician, add_lab, save_plot, rename, retire, remove
    )
    window = AdministrationWindow(parent, callbacks)
    return window


# -- on the database's thread ----------------------------------------------------------------------------


_RETIRE: dict[str, Callable[..., str | None]] = {
    "technician": lambda model, number, retired: model.retire_technician(number, retired),
    "lab": lambda model, lab, retired: model.retire_lab(lab, retired),
    "plot": lambda model, lab, plot, retired: model.retire_plot(lab, plot, retired),
}
_REMOVE: dict[str, Callable[..., str | None]] = {
    "technician": lambda model, number: model.remove_technician(number),
    "lab": lambda model, lab: model.remove_lab(lab),
    "plot": lambda model, lab, plot: model.remove_plot(lab, plot),
}


def _named(part: str, key: tuple[Any, ...], name: str | None) -> str:
    """Return the name of a technician, or the key of a lab or plot in words."""
    return name or (f"Lab {key[0]}" if part == "lab" else f"Plot {key[1]} of lab {key[0]}")


def _answer(added: bool, sentence: str) -> str:
    return sentence if added else "That is there already."


def _save_plot(model: SQLModel, lab: str, plot: int, seed: str) -> str:
    if model.add_plot(lab, plot, seed or None):
        return f"Plot {plot} added to lab {lab}."
    model.set_seed_sample(lab, plot, seed or None)
    return f"Plot {plot} of lab {lab}: {seed or 'no seed sample'}."


def _master_data(model: SQLModel) -> tuple[MasterData, Any]:
    technicians = model.query("SELECT id, name, retired FROM lab_techs ORDER BY id") or []
    choices = model.choices()
    labs = {
        lab: {plot: choices.seed_samples.get((lab, plot), "") for plot in plots}
        for lab, plots in choices.all_plots.items()
    }
    numbered = [(int(str(row["id"])), str(row["name"])) for row in technicians]
    retired: set[tuple[object, ...]] = {(int(str(row["id"])),) for row in technicians if row["retired"] is not None}
    retired |= {(lab,) for lab in choices.retired_labs}
    retired |= {(lab, plot) for lab, plots in choices.retired_plots.items() for plot in plots}
    return MasterData(numbered, labs, retired), choices
