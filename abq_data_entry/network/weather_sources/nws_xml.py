"""The US National Weather Service's feed of current observations."""

from __future__ import annotations

from ..weather_source import Observation, Settings, WeatherSource


class NwsXml(WeatherSource):
    """One XML document for each station."""

    name, order, accept, address_setting = "nws_xml", 1, "application/xml, text/xml", "weather_url"

    def address(self, settings: Settings, station: str) -> str:
        return str(settings["weather_url"]).replace("{station}", station)

    def problem(self, settings: Settings) -> str:
        if "{station}" in str(settings["weather_url"]):
            return ""
        return "The address of the weather feed must hold {station}. Check the setting weather_url."

    def read(self, body: bytes, content_type: str, coding: str, station: str) -> Observation:
        from ..weather_documents import read_observation

        return read_observation(body, content_type, coding, station)


SOURCE = NwsXml()
