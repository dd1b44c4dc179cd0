"""Input widgets that ask :mod:`abq_data_entry.fields`, and the parts the views are made of."""

from .editors import FieldCheck, FieldChoice, FieldEntry, FieldNotes, widen_list
from .field_input import FieldInput
from .note_line import NoteLine, OneLine, Tooltip
from .scrolled import Flow, Scrolled, occupied_width
from .status_bar import StatusBar

__all__ = [
    "FieldCheck",
    "FieldChoice",
    "FieldEntry",
    "FieldInput",
    "FieldNotes",
    "Flow",
    "NoteLine",
    "OneLine",
    "Scrolled",
    "StatusBar",
    "Tooltip",
    "occupied_width",
    "widen_list",
]
