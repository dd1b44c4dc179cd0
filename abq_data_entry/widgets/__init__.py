"""Input widgets that ask :mod:`abq_data_entry.fields`, and the parts the views are made of."""

from .check_box import FieldCheck
from .choice import FieldChoice
from .drop_down import widen_list
from .entry import FieldEntry
from .field_input import FieldInput
from .flow import Flow, occupied_width
from .note_line import NoteLine, OneLine
from .notes import FieldNotes
from .plot_strip import PlotState, PlotStrip
from .scrolled import Scrolled
from .status_bar import StatusBar
from .tooltip import Tooltip

__all__ = [
    "FieldCheck",
    "FieldChoice",
    "FieldEntry",
    "FieldInput",
    "FieldNotes",
    "Flow",
    "NoteLine",
    "OneLine",
    "PlotState",
    "PlotStrip",
    "Scrolled",
    "StatusBar",
    "Tooltip",
    "occupied_width",
    "widen_list",
]
