"""What the user sees: the record form, the record list and the dialogs. They report events by callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .dialogs import CarefulDialog, Dialog, LoginDialog, Remember
from .form_content import FormCallbacks
from .record_form import DataRecordForm

if TYPE_CHECKING:
    from .record_list import RecordList

__all__ = [
    "CarefulDialog",
    "DataRecordForm",
    "Dialog",
    "FormCallbacks",
    "LoginDialog",
    "RecordList",
    "Remember",
]


def __getattr__(name: str) -> Any:
    # The window appears before its list: importing the form must not wait for the modules of the list.
    if name == "RecordList":
        from .record_list import RecordList

        return RecordList
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
