"""What QA says of the values of the record in the form, beside its fields."""

from __future__ import annotations

from collections.abc import Mapping

from ..constants import FieldNames as F
from .record_inputs import RecordInputs, RecordKey

Said = Mapping[str, str]
"""A sentence by field name; that of the whole record by the name of Plot."""

WHOLE_RECORD = F.PLOT
"""Beside which field stands what is said of the whole record."""


class MarkedFields:
    """Shows what :meth:`know` was told, for the record that :meth:`show` names."""

    def __init__(self, inputs: RecordInputs) -> None:
        self._inputs = inputs
        self._known: Mapping[RecordKey, Said] = {}
        self._key: RecordKey | None = None
        self._shown: Said = {}

    def know(self, said: Mapping[RecordKey, Said]) -> None:
        """This is what QA says of records, by their keys."""
        self._known = said
        self.show(self._key)

    def show(self, key: RecordKey | None) -> None:
        """The form is at that saved record, or at none."""
        self._key = key
        said = self._known.get(key, {}) if key is not None else {}
        if said == self._shown:
            return
        for name in {*self._shown, *said}:
            if name in self._inputs:
                self._inputs[name].show_question(said.get(name, ""))
        self._shown = said
