"""Input widgets, which validate with :mod:`abq_data_entry.fields`, and other parts from which views are built."""

from .editors import FieldCheck, FieldChoice, FieldEntry, FieldNotes, widen_list
from .field_input import FieldInput
from .scrolled import Flow, Scrolled, occupied_width
from .status_bar import StatusBar
from .text_lines import LineBelow, OneLine, Tooltip

__all__ = [
    "FieldCheck",
    "FieldChoice",
    "FieldEntry",
    "FieldInput",
    "FieldNotes",
    "Flow",
    "LineBelow",
    "OneLine",
    "Scrolled",
    "StatusBar",
    "Tooltip",
    "occupied_width",
    "widen_list",
]
