"""What the user sees: the record form, the record list, the dialogs. Events go up by callbacks, calls come down."""

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
    # The window stands before it has its list: importing the form doesn't wait for the list's modules.
    if name == "RecordList":
        from .record_list import RecordList

        return RecordList
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
