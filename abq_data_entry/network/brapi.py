"""Send a day's extract to a BrAPI server: new values are sent by POST, changed and removed ones by PUT.

First the server is asked which values it has, because it refuses a second POST of a value, and a response may have been
lost. `brapi_records` sends the requests, and finds labs and plots there.
"""

from __future__ import annotations

import collections
import io
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from . import brapi_records as records
from .brapi_records import (
    TRIES,
    BrapiPlaces,
    BrapiRefused,
    Known,
    Missing,
    NotAnExtract,
    Record,
    RecordKey,
    Thing,
    Values,
    data_of,
    may_have_succeeded,
    number_of,
    reason_of,
)
from .failures import InvalidInput, on_one_line
from .guard import Guard
from .probing import Context, Inspection, Result, Steps
from .rest_answers import RestStatusError
from .uploads import BLOCK, SourceFile
from .web import probe_with_login

if TYPE_CHECKING:
    from .destination import Settings

AT_ONCE = 200
"""Observations in one request."""

_LONGEST_REASON = 300
_MOST_PARTS = 500  # requests of parts of what was refused


class Item(NamedTuple):
    """One value on its way: of which record, its field, and the server's identifiers."""

    key: RecordKey
    field: str
    body: Thing

    @property
    def value(self) -> str:
        return str(self.body["value"])


class Day:
    """One day's records, and what the server is known to have of that day. Before values are sent, `sends()` is called.
    """

    def __init__(
        self, service: BrapiPlaces, date: str, of_day: list[Record], known: Known, sends: Callable[[], object]
    ) -> None:
        self._service, self._date, self._records, self._file = service, date, of_day, known
        self._sends = sends
        self._known = known.of_day(date)
        self._refused = collections.Counter[str]()
        self._parts = 0
        self._there: dict[str, str] = {}  # the values by the server's identifiers, as it has just reported them
        self._doubles = collections.defaultdict[tuple[RecordKey, str], list[str]](list)

    def deliver(self) -> collections.Counter[str]:
        """Send; return how many values were refused, by the reason. Raises what the service raises."""
        self._fetch_existing()
        new: list[Item] = []
        changed: dict[str, Item] = {}
        for item in self._wanted_items():
            number, value = self._known.get(item.key, {}).get(item.field, ("", ""))
            if not number and item.value:
                new.append(item)
            elif number and not records.is_same(item.field, value, item.value):
                changed[number] = item
            for other in self._doubles[item.key, item.field]:  # two workstations sent it at once
                if not records.is_same(item.field, self._there[other], item.value):
                    changed[other] = item
        lost = self._put(changed)
        self._post([*new, *(each for each in lost if each.value)])
        return self._refused

    def _wanted_items(self) -> list[Item]:
        """Return all values that the server should have; an empty one for each that only the server still has."""
        found = list[Item]()
        present = {each.key: each for each in self._records}
        for record in self._records:
            gone = [name for name in self._known.get(record.key, {}) if name not in record.values]
            found += self._items(record.key, record, {**record.values, **dict.fromkeys(gone, "")})
        labs = {each.key.lab for each in self._records}  # an extract may be of some labs only
        for key, values in self._known.items():
            if key not in present and key.lab in labs:  # withdrawn
                found += self._items(key, key, dict.fromkeys(values, ""))
        return found

    def _items(self, key: RecordKey, record: Record | RecordKey, values: Mapping[str, str]) -> list[Item]:
        found = list[Item]()
        for name, value in values.items():
            try:
                numbers = (
                    self._service.unit(key.lab, key.plot), self._service.variable(name), self._service.study(key.lab)
                )  # fmt: skip
            except Missing as error:
                self._refused[str(error)] += 1
                continue
            found.append(Item(key, name, records.observation(record, name, value, *numbers)))
        return found

    def _fetch_existing(self) -> None:
        """Fetch what the server has: another workstation may have changed it, or an answer was lost."""
        for lab in sorted({each.key.lab for each in self._records}):
            self._fetch_lab(lab)

    def _fetch_lab(self, lab: str) -> None:
        try:
            study = self._service.study(lab)
        except Missing:
            return
        names = {}
        found: dict[RecordKey, Values] = {}
        for name in {name for each in self._records for name in each.values}:
            try:
                names[self._service.variable(name)] = name
            except Missing:
                continue
        start, end = records.search_range(self._date)
        asked = {
            "studyDbId": study, "observationTimeStampRangeStart": start, "observationTimeStampRangeEnd": end,
        }  # fmt: skip
        for each in self._service.things("observations", **asked, externalReferenceSource=records.SOURCE):
            key, number = records.key_in(each), number_of(each, "observationDbId")
            name = names.get(number_of(each, "observationVariableDbId")) or _field_of(each)
            if key and key.date == self._date and key.lab == lab and name and number:
                self._note_existing(found.setdefault(key, {}), key, name, number, records.value_of(each))
        self._keep(found)
        unseen = {
            number: (key, name)
            for key, values in self._known.items() if key.lab == lab
            for name, (number, _) in values.items() if number not in self._there
        }  # fmt: skip
        if unseen:
            self._look_for(unseen, self._service.things("observations", **asked), names)

    def _note_existing(self, values: Values, key: RecordKey, name: str, number: str, value: str) -> None:
        """Note a value that the server has; of two for one place, the one that was known already counts."""
        self._there[number] = value
        before, _ = values.get(name, ("", ""))
        known, _ = self._known.get(key, {}).get(name, ("", ""))
        if not before or number == known:
            values[name] = (number, value)
        other = before if number == known else number
        if before and other not in self._doubles[key, name]:
            self._doubles[key, name].append(other)

    def _look_for(
        self, unseen: Mapping[str, tuple[RecordKey, str]], things: Iterable[Thing], names: Mapping[str, str]
    ) -> None:
        """Search all observations for those that were stored without our reference; forget those that are gone.

        A server may keep no references, and one that was restored gives the same identifiers again.
        """
        found: dict[RecordKey, Values] = {}
        for each in things:
            number = number_of(each, "observationDbId")
            if number not in unseen or records.reference_of(each):
                continue
            key, name = unseen[number]
            if name == (names.get(number_of(each, "observationVariableDbId")) or _field_of(each)):
                self._note_existing(found.setdefault(key, {}), key, name, number, records.value_of(each))
        for number, (key, name) in unseen.items():
            if number not in self._there:
                self._known[key] = {each: value for each, value in self._known[key].items() if each != name}
                found.setdefault(key, {})
        self._keep(found)

    def _keep(self, found: Mapping[RecordKey, Values]) -> None:
        """Write what the server has to the disk, before the next request."""
        for key, values in found.items():
            self._known[key] = {**self._known.get(key, {}), **values}
        if found:
            self._file.note({key: self._known[key] for key in found})

    # -- what is new

    def _store(self, method: str, path: str, values: object) -> Any:
        self._sends()
        return self._service.ask(method, path, values)

    def _post(self, items: list[Item]) -> None:
        for start in range(0, len(items), AT_ONCE):
            self._post_these(items[start : start + AT_ONCE])

    def _post_these(self, items: list[Item], tries: int = TRIES, *, is_part: bool = False) -> None:
        try:
            answer = self._store("POST", "observations", [each.body for each in items])
        except RestStatusError as error:
            failed = error
        else:
            self._note_created(items, answer)
            return
        if failed.login_refused or (failed.transient and not may_have_succeeded(failed)):
            raise failed
        if failed.transient or not is_part:
            for lab in sorted({each.key.lab for each in items}):
                self._fetch_lab(lab)  # it may have stored some or all of them nevertheless
            self._put({self._number(each): each for each in items if self._differs(each)})
        rest = [each for each in items if not self._number(each)]
        if failed.transient and rest and tries > 1:
            self._post_these(rest, tries - 1, is_part=is_part)
        elif failed.transient and rest and not self._service.was_told:
            raise failed
        else:  # Breedbase answers 500, with the reason, to what it will never accept
            self._send_halves(rest, failed)

    def _send_halves(self, items: list[Item], error: RestStatusError) -> None:
        """Split a refused request in halves, to find the values that are refused and send the others."""
        self._parts += 1
        if len(items) == 1 or self._parts > _MOST_PARTS:
            self._refused[reason_of(error)] += len(items)
        elif items:
            half = len(items) // 2
            self._post_these(items[:half], is_part=True)
            self._post_these(items[half:], is_part=True)

    def _note_created(self, items: list[Item], answer: Thing) -> None:
        """Note the identifiers in an answer; ask for those that it lacks."""
        given: dict[tuple[str, ...], str] = {}
        for each in data_of(answer):
            unit, variable = number_of(each, "observationUnitDbId"), number_of(each, "observationVariableDbId")
            given[records.reference_of(each), unit, variable] = number_of(each, "observationDbId")
        # An answer without our reference is matched by plot and field, if only one value was sent for them.
        places = collections.Counter(_place(each) for each in items)
        found: dict[RecordKey, Values] = {}
        for item in items:
            place = _place(item)
            number = given.get((item.key.text, *place)) or (given.get(("", *place)) if places[place] == 1 else None)
            if number:
                found.setdefault(item.key, {})[item.field] = (number, item.value)
        self._keep(found)
        rest = [each for each in items if not self._number(each)]
        if rest:
            for lab in {each.key.lab for each in rest}:
                self._fetch_lab(lab)
            self._count_refused(answer, sum(not self._number(each) for each in rest))

    def _count_refused(self, answer: Thing, count: int) -> None:
        """Count what the server accepted, by the status of its answer, but didn't store."""
        if count:
            why = self._service.said_in(answer) or "the server accepted it but doesn't have it"
            self._refused[why[:_LONGEST_REASON]] += count

    # -- what is there already

    def _put(self, changed: Mapping[str, Item]) -> list[Item]:
        """Update the values that the server has; return those that it no longer has."""
        lost: list[Item] = []
        pairs = list(changed.items())
        for start in range(0, len(pairs), AT_ONCE):
            lost += self._put_these(dict(pairs[start : start + AT_ONCE]))
        return lost

    def _put_these(self, changed: Mapping[str, Item]) -> list[Item]:
        try:
            answer = self._store("PUT", "observations", {number: each.body for number, each in changed.items()})
        except RestStatusError as error:
            if error.transient or error.login_refused:
                raise
            return [each for number, item in changed.items() for each in self._put_one(number, item)]
        self._note_updated(changed, answer)
        return []

    def _put_one(self, number: str, item: Item) -> list[Item]:
        try:
            answer = self._store("PUT", "observations/" + urllib.parse.quote(number, safe=""), item.body)
        except RestStatusError as error:
            status = error.response.status_code if error.response is not None else 0
            if error.transient or error.login_refused:
                raise
            if status == 404 and "observation" in reason_of(error).casefold():
                self._known.get(item.key, {}).pop(item.field, None)
                self._file.note({item.key: self._known.get(item.key, {})})
                return [item]
            self._refused[reason_of(error)] += 1
            return []
        self._note_updated({number: item}, answer)
        return []

    def _note_updated(self, changed: Mapping[str, Item], answer: Thing) -> None:
        """Note what was changed, by the answer or else by what the server has now: a success may refuse some or all."""
        result = answer.get("result")
        one = [result] if isinstance(result, dict) and "data" not in result else []
        self._there.update({
            number: records.value_of(each) for each in (*data_of(answer), *one)
            if (number := number_of(each, "observationDbId")) in changed and "value" in each
        })  # fmt: skip
        if any(self._differs_at_server(*each) for each in changed.items()):
            for lab in sorted({each.key.lab for each in changed.values()}):
                self._fetch_lab(lab)
        done = {number: each for number, each in changed.items() if not self._differs_at_server(number, each)}
        self._note_changed(done)
        self._count_refused(answer, len(changed) - len(done))

    def _differs_at_server(self, number: str, item: Item) -> bool:
        return number not in self._there or not records.is_same(item.field, self._there[number], item.value)

    def _note_changed(self, changed: Mapping[str, Item]) -> None:
        found: dict[RecordKey, Values] = {}
        for number, item in changed.items():
            found.setdefault(item.key, {})[item.field] = (number, item.value)
        self._keep(found)

    def _number(self, item: Item) -> str:
        return self._known.get(item.key, {}).get(item.field, ("", ""))[0]

    def _differs(self, item: Item) -> bool:
        number, value = self._known.get(item.key, {}).get(item.field, ("", ""))
        return bool(number) and not records.is_same(item.field, value, item.value)


def _field_of(thing: Thing) -> str:
    return records.variable_of({**thing, "externalReferences": None})


def _place(item: Item) -> tuple[str, str]:
    return str(item.body["observationUnitDbId"]), str(item.body["observationVariableDbId"])


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
        # Read without counting it as sent: first comes the login, and what the server has is looked up.
        text = b"".join(map(bytes, source.content(BLOCK))).decode("utf-8", "replace")
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
            refused += Day(self, date, of_day, self._known, partial(source.report, source.size)).deliver()
        source.report(source.size)
        if refused:
            raise BrapiRefused(_in_words(refused, total))


def _in_words(refused: collections.Counter[str], total: int) -> str:
    count = sum(refused.values())
    of_all = f"{count:,} of {max(total, count):,} values couldn't be sent by BrAPI, the others are there."
    reasons = [f"{number:,}: {why.rstrip('.')}." for why, number in refused.most_common(_SHOWN)]
    more = len(refused) - _SHOWN
    return " ".join([of_all, *reasons, *([f"And {more} further reasons."] if more > 0 else [])])


_NEEDED = {
    "observations": ("GET", "POST", "PUT"), "studies": ("GET",), "observationunits": ("GET",), "variables": ("GET",),
}  # fmt: skip


def probe(
    kind: str, problem: str, uploads: Callable[[Settings, str, str], BrapiUploads], context: Context
) -> Steps[None]:
    """Check the server. `problem`: why a setting can't be used; `uploads(settings, user, password)`: what sends."""

    def look(inspection: Inspection, sender: BrapiUploads, username: str) -> Steps[None]:
        yield from inspection.step("Login", lambda: _log_in(context, sender, username))
        yield from inspection.step("Server", lambda: _server_info(context, sender))
        if context.wanted.write:
            yield inspection.note("Write test", "nothing was stored: BrAPI has no way to remove it again")

    url = str(context.settings["abq_brapi_url"])
    return probe_with_login("BrAPI server", url, kind, problem, uploads, context, look)


def _log_in(context: Context, sender: BrapiUploads, username: str) -> Result[None]:
    sender.run(lambda: sender.ask("GET", "observations", page="0", pageSize="1"), context.cancel)
    return Result(None, f"{username} is logged in, and reads observations")


def _server_info(context: Context, sender: BrapiUploads) -> Result[None]:
    found: list[dict[str, Any]] = []
    sender.run(lambda: found.append(sender.ask("GET", "serverinfo")), context.cancel)
    said = found[0].get("result")
    result = said if isinstance(said, dict) else {}
    calls = result.get("calls")
    offered = set[tuple[str, str]]()
    for each in calls if isinstance(calls, list) else ():
        methods = each.get("methods") if isinstance(each, dict) else None
        if isinstance(methods, list):
            offered |= {(str(each.get("service")).strip("/"), str(name)) for name in methods}
    lacking = [f"{method} /{path}" for path, methods in _NEEDED.items() for method in methods
               if (path, method) not in offered]  # fmt: skip
    name = on_one_line(result.get("serverName") or "the server")
    advice = f"It doesn't say that it has {', '.join(lacking)}: ask its administrator." if lacking else ""
    return Result(None, f"{name} offers {len(offered)} calls", advice)
