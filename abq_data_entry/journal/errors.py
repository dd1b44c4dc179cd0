"""What can be wrong with the journal itself; the texts are for people."""

from __future__ import annotations

from abq_data_entry.store.database import StoreBusy as JournalBusy
from abq_data_entry.store.database import StoreError as JournalError

__all__ = ["JournalBusy", "JournalError"]
