"""What the user sees: the record form, the record list, the dialogs. Events go up by callbacks, calls come down."""

from .dialogs import CarefulDialog, Dialog, LoginDialog, Remember, after_other_dialogs
from .form_content import FormCallbacks
from .record_form import DataRecordForm
from .record_list import RecordList

__all__ = [
    "CarefulDialog",
    "DataRecordForm",
    "Dialog",
    "FormCallbacks",
    "LoginDialog",
    "RecordList",
    "Remember",
    "after_other_dialogs",
]
