"""What menus and keys call, by name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ..network.destinations import KINDS

if TYPE_CHECKING:
    from .window import Application


def make_callbacks(application: Application) -> dict[str, Callable[..., object]]:
    """The commands of menus and keys, by name; one that the login may not do says so instead."""

    def export() -> object:
        return application.waiting.agree(lambda: menu_command("export", "ask_and_export", application))

    callbacks = {
        "new_record": application.navigation.new_record,
        "save_record": lambda: application.form.submit(),
        "discard_draft": lambda: application.drafts.discard(),
        "export_extract": export,
        "show_extracts": lambda: _go_to_extracts(application),
        "back_up": application.tools.backups.ask_and_back_up,
        "restore": application.tools.backups.ask_and_restore,
        "quit": application.quit_application,
        **application.edit_commands.callbacks,
        **application.font_keys.callbacks,
        "take_back": application.taking_back.take_back,
        "withdraw_record": lambda: menu_command("undoing", "withdraw", application),
        "move_record": lambda: menu_command("undoing", "move", application),
        "move_check": lambda: menu_command("undoing", "move_check", application),
        "correct_many": lambda: menu_command("correcting_many", "correct_many", application),
        "show_withdrawn": lambda: menu_command("withdrawn_list", "show_withdrawn", application),
        "show_waiting": application.waiting.show,
        "show_messages": lambda: _show_messages(application),
        "show_deliveries": lambda: menu_command("delivery_list", "show_deliveries", application),
        "check_connections": lambda: menu_command("connections_check", "show_connections", application),
        "show_administration": lambda: menu_command("administration", "show_administration", application),
        "show_form": lambda: _go_to_form(application),
        "show_record_list": application.show_record_list,
        "previous_record": lambda: application.navigation.move(-1),
        "next_record": lambda: application.navigation.move(1),
        "ask_plot": lambda: menu_command("export", "ask_plot", application),
        "show_plots": lambda: _go_to_plots(application),
        "next_missing": application.navigation.next_missing,
        "show_history": lambda: menu_command("history", "show_history", application),
        "show_typed_ahead": lambda: _go_to_typed_ahead(application),
        "refresh": application.refresh,
        "help_for_field": lambda: application.field_help.toggle(application.form.focused),
        "show_keys": lambda: menu_command("about", "show_keys", application),
        "about": lambda: menu_command("about", "show_about", application),
        "show_settings_file": lambda: menu_command("export", "show_settings_file", application),
    }
    command = application.messages.command
    guarded = {name: application.permissions.guarded(name, callback) for name, callback in callbacks.items()}
    return {
        **{name: command(callback) for name, callback in guarded.items()},
        "update_weather_data": application.update_weather_data,
        **{f"upload_to_corporate_{kind}": partial(application.upload, kind) for kind in KINDS},
        "upload_to_corporate_rest": application.upload_to_corporate_rest,  # scripts know these as methods
        "upload_to_corporate_ftp": application.upload_to_corporate_ftp,
    }


def _go_to_extracts(application: Application) -> None:
    extracts = application.status_bar.extracts
    if extracts.days:
        extracts.focus_set()
    else:
        application.extract_days.look_soon()
        application.status.set("None of the last days has records")


def _go_to_form(application: Application) -> None:
    application.show_form()
    application.form.focus_first_empty()


def _go_to_typed_ahead(application: Application) -> None:
    application.show_form()
    if not application.form.type_ahead.go_to_line():
        application.status.set("Nothing that was typed ahead waits to be placed")


def _go_to_plots(application: Application) -> None:
    application.show_form()
    if not application.form.focus_strip():
        application.status.set("Choose date, time and lab first: then the plots of the check are there")


def _show_messages(application: Application) -> None:
    if not application.status_bar.messages.toggle():
        application.status.set("There are no messages")


def menu_command(module: str, function: str, application: Application, *arguments: object) -> object:
    """Call a rarely used command, whose imports need not be paid for at every start."""
    return getattr(importlib.import_module(f".{module}", __package__), function)(application, *arguments)
