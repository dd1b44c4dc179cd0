"""A day's extract for a BrAPI server: its values as observations; what is new is posted, what is known is put.

First the server is asked what it has: a second POST of a value is refused, and an answer may have been lost. A day is
sent by `brapi_day`, labs and plots are found by `brapi_places`, questions are asked by `brapi_service`.
"""

from __future__ import annotations

import collections
import io
from pathlib import Path
from typing import Any

from . import brapi_records as records
from .brapi_day import Day
from .brapi_known import Known
from .brapi_places import BrapiPlaces
from .brapi_records import NotAnExtract, Record
from .brapi_service import BrapiRefused
from .failures import InvalidInput
from .guard import Guard
from .uploads import BLOCK, SourceFile

_LARGEST_EXTRACT = 64 * 1024 * 1024
_SHOWN = 5  # reasons


class BrapiUploads(BrapiPlaces):
    """Sends extracts. `kept`: the file of what is known; the one of this computer, if none is given.

    The other parameters are those of `rest.RestUploads`, and the `trial`; `upload_url` is that of the API, as
    https://example.com/brapi/v2.
    """

    def __init__(self, *arguments: Any, kept: Path | None = None, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._known = Known(self._urls[1], kept)

    def _deliver(self, source: SourceFile, guard: Guard, key: str) -> None:
        if source.size > _LARGEST_EXTRACT:
            raise InvalidInput("The extract is too large to be sent by BrAPI.")
        text = b"".join(map(bytes, source.blocks(BLOCK))).decode("utf-8", "replace")
        try:
            found = list(records.records_in(io.StringIO(text, newline="")))
        except NotAnExtract:
            raise BrapiRefused(f"{source.name} isn't an extract of records: only those go by BrAPI.") from None
        days = collections.defaultdict[str, list[Record]](list)
        for each in found:
            days[each.key.date].append(each)
        refused = collections.Counter[str]()
        total = sum(len(each.values) for each in found)
        for date, of_day in days.items():
            refused += Day(self, date, of_day, self._known).deliver()
        if refused:
            raise BrapiRefused(_in_words(refused, total))


def _in_words(refused: collections.Counter[str], total: int) -> str:
    count = sum(refused.values())
    of_all = f"{count:,} of {max(total, count):,} values couldn't be sent by BrAPI, the others are there."
    reasons = [f"{number:,}: {why.rstrip('.')}." for why, number in refused.most_common(_SHOWN)]
    more = len(refused) - _SHOWN
    return " ".join([of_all, *reasons, *([f"And {more} further reasons."] if more > 0 else [])])
