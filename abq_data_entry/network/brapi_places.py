"""What a BrAPI server calls our labs, plots and fields: found by our reference or by name, else made there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import brapi_records as records
from .brapi_service import BrapiRefused, BrapiService, Thing, data_of, may_be_done, number_of
from .rest_answers import RestStatusError

TRIES = 3
"""How often something new is sent to a server that fails."""

_LONGEST_REASON = 300


class Missing(Exception):
    """The server has none of what a value belongs to, and takes none; the text says of what."""


class BrapiPlaces(BrapiService):
    """`trial`: the name of the trial of the labs' studies; '' for none. The others are those of `rest.RestUploads`."""

    def __init__(self, *arguments: Any, trial: str = "", **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._trial = trial
        self._studies: dict[str, str] = {}
        self._units: dict[str, dict[str, str]] = {}
        self._variables: dict[str, str] = {}

    def close(self) -> None:
        super().close()
        self._studies, self._units, self._variables = {}, {}, {}

    def study(self, lab: str) -> str:
        """Return the identifier of the lab's study. Raises `Missing`."""
        if lab not in self._studies:
            trial = self._found_trial()
            there = {"trialDbId": trial} if trial else {}
            asked = [{"studyName": name, **there} for name in (lab, f"Lab {lab}")]
            if not trial:
                asked.insert(0, {"externalReferenceId": f"lab {lab}", "externalReferenceSource": records.SOURCE})
            self._studies[lab] = self._found_or_made(
                "studies", "studyDbId", asked, lambda each: records.is_study(each, lab),
                lambda: records.new_study(lab, trial), f"study for lab {lab}",
            )  # fmt: skip
        return self._studies[lab]

    def unit(self, lab: str, plot: str) -> str:
        """Return the identifier of the plot's observation unit. Raises `Missing`."""
        study = self.study(lab)
        if lab not in self._units:
            self._units[lab] = self._units_of(lab, study)
        if not self._units[lab].get(plot):
            self._units[lab][plot] = self._made(
                "observationunits", "observationUnitDbId", records.new_unit(lab, plot, study),
                f"plot {plot} of lab {lab}", lambda: self._units_of(lab, study).get(plot, ""),
            )  # fmt: skip
        return self._units[lab][plot]

    def _units_of(self, lab: str, study: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for each in self.things("observationunits", studyDbId=study):
            plot, number = records.plot_of(each, lab), number_of(each, "observationUnitDbId")
            # A server that doesn't narrow gives those of other studies too. Of two the first counts, for everybody.
            if plot and number and str(each.get("studyDbId") or study) == study:
                found.setdefault(plot, number)
        return found

    def variable(self, field: str) -> str:
        """Return the identifier of the field's variable. Raises `Missing`."""
        if field not in self._variables:
            asked = [
                {"externalReferenceId": f"field {field}", "externalReferenceSource": records.SOURCE},
                {"observationVariableName": field},
            ]
            self._variables[field] = self._found_or_made(
                "variables", "observationVariableDbId", asked, lambda each: records.variable_of(each) == field,
                lambda: records.new_variable(field), f"variable {field}",
            )  # fmt: skip
        return self._variables[field]

    def _found_trial(self) -> str:
        if not self._trial:
            return ""
        for each in self.things("trials", trialName=self._trial):
            if str(each.get("trialName")) == self._trial and (number := number_of(each, "trialDbId")):
                return number
        raise BrapiRefused(f"The server {self._host} has no trial {self._trial}. Nothing was sent.")

    def _found_or_made(
        self, path: str, name: str, asked: list[dict[str, str]], is_it: Callable[[Thing], bool],
        new: Callable[[], Thing], what: str,
    ) -> str:  # fmt: skip
        def look(queries: list[dict[str, str]]) -> str:
            for query in queries:
                for each in self.things(path, **query):
                    if is_it(each) and (number := number_of(each, name)):
                        return number
            return ""

        # What was made a moment ago is found by the name that it got, which each server can look for.
        return look(asked) or self._made(path, name, new(), what, lambda: look(asked[-1:]))

    def _made(self, path: str, name: str, new: Thing, what: str, look: Callable[[], str]) -> str:
        """Return the identifier of something new. Where the server failed, it is looked for before it is made again.

        Another computer may make it at the same moment: the first that the server has counts for both.
        """
        for tries in range(TRIES):
            try:
                found = next((number_of(each, name) for each in data_of(self.ask("POST", path, [new]))), "")
            except RestStatusError as error:
                if not error.transient and not error.login_refused:
                    if there := look():
                        return there
                    raise Missing(f"the server has no {what}, and takes no new one: {reason_of(error)}") from None
                if not may_be_done(error) or tries == TRIES - 1:
                    raise
                found = ""
            if found := look() or found:
                return found
        raise Missing(f"the server has no {what}, and didn't make one")


def reason_of(error: RestStatusError) -> str:
    """Return why something was refused, not too long."""
    return str(error).strip()[:_LONGEST_REASON]
