"""A record that was to come where another one stands: what both give is saved there, and the first is withdrawn.

In one transaction: whatever happens in between, both are as they were, or it is all done.
"""

from __future__ import annotations

from collections.abc import Mapping

from abq_data_entry import fields
from abq_data_entry.models import statements, undoing
from abq_data_entry.models.connections import Connections
from abq_data_entry.models.undoing import By, Place, Request

# The labs in the order of their letters, as the functions do: who waits for one holds none after it.
_STATEMENT = f"""
    SELECT lock_lab(lab) FROM (
        SELECT DISTINCT lab FROM unnest(ARRAY[%(from Lab)s, %(Lab)s]::text[]) AS lab ORDER BY lab
    ) AS labs;
    SELECT withdraw_record(%(from Date)s, %(from Time)s, %(from Lab)s, %(from Plot)s, %(reason)s, %(from version)s);
    SELECT set_config('abq.reason', %(reason)s, true);
    {statements.REQUIRE_VERSION}
    {statements.UPDATE_PLOT}
"""


def move_over(
    connections: Connections, source: Place, values: Mapping[str, object], version: int, reason: str, by: By
) -> None:
    """Withdraw the record of `source`, and save `values` over the record of that version that stands there.

    Raises as `SQLModel.move_record_over` does.
    """
    key = {name: values[name] for name in fields.RECORD_KEY}
    origin = {f"from {name}": value for name, value in source.key.items()}
    parameters = {
        **values, **origin, "from version": source.version, "expected version": version, "reason": reason,
    }  # fmt: skip
    undoing.do(connections, Request(_STATEMENT, parameters, key), by)
