"""A real server in place of all weather services: the XML feed, api.weather.gov, METAR, Open-Meteo. One answers for all
of them; what it says to which path is the test's."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import json
import threading
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any

from abq_data_entry.observation import time_text

UTC = datetime.timezone.utc


def ago(minutes: float) -> datetime.datetime:
    return datetime.datetime.now(UTC).replace(second=0, microsecond=0) - datetime.timedelta(minutes=minutes)


class Service(http.server.ThreadingHTTPServer):
    """Answers by path; what isn't known with 404. `asked`: the requests, path and query and User-Agent."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: dict[str, tuple[int, bytes, dict[str, str], float]] = {}
        self.asked: list[tuple[str, str]] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), Answering)

    def say(
        self, path: str, body: object, status: int = 200, headers: Mapping[str, str] | None = None, after: float = 0
    ) -> None:
        """Answer so from now on; an object as JSON. `after`: seconds before the body comes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.answers[path] = (status, raw, dict(headers or {}), after)

    @property
    def settings(self) -> dict[str, object]:
        at = f"http://127.0.0.1:{self.server_address[1]}"
        return {
            "weather_station": "KDCA",
            "weather_url": f"{at}/xml/{{station}}.xml",
            "weather_api_url": f"{at}/api/{{station}}",
            "weather_metar_url": f"{at}/metar?ids={{station}}",
            "weather_sources": "nws_xml,nws_api,metar",
        }

    @property
    def with_model(self) -> dict[str, object]:
        at = f"http://127.0.0.1:{self.server_address[1]}"
        coordinates = {"weather_latitude": "35.08", "weather_longitude": "-106.65"}
        model = {"weather_open_meteo_url": f"{at}/model", "weather_open_meteo_archive_url": f"{at}/archive"}
        return {**self.settings, **model, **coordinates}


class Answering(http.server.BaseHTTPRequestHandler):
    server: Service

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["User-Agent"]))
        path = urllib.parse.urlsplit(self.path).path
        status, body, headers, after = self.server.answers.get(path, (404, b"", {}, 0.0))
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if after:
            self.server.over.wait(after)
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def running_service() -> Iterator[Service]:
    """The server, until the block ends."""
    with Service() as service:
        threading.Thread(target=service.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield service
        finally:
            service.over.set()
            service.shutdown()


def feature(moment: datetime.datetime, station: str = "KDCA", **entries: object) -> dict[str, Any]:
    """An observation of the API; an entry in place of `temperature` or another one."""
    return {
        "type": "Feature",
        "properties": {
            "station": f"https://api.weather.gov/stations/{station}",
            "timestamp": moment.isoformat(),
            "textDescription": "Cloudy",
            "temperature": quantity(7.2, "wmoUnit:degC"),
            "relativeHumidity": quantity(35.162506282583, "wmoUnit:percent"),
            "seaLevelPressure": quantity(101360, "wmoUnit:Pa"),
            **entries,
        },
    }


def quantity(value: object, unit: str, code: str = "V") -> dict[str, object]:
    return {"unitCode": unit, "value": value, "qualityControl": code}


def collection(*features: object) -> dict[str, object]:
    return {"type": "FeatureCollection", "features": list(features)}


REPORT = "KDCA {:%d%H%M}Z 28008G19KT 250V320 10SM FEW055 BKN250 07/M07 A2993 RMK AO2 SLP136 T00721072 $"


def report(moment: datetime.datetime, raw: str = REPORT, **facts: object) -> dict[str, object]:
    return {
        "icaoId": "KDCA", "obsTime": int(moment.timestamp()), "rawOb": raw.format(moment), "temp": 1, "dewp": 2, **facts
    }  # fmt: skip


def hours(*moments: datetime.datetime, **changed: object) -> dict[str, object]:
    hourly = {
        "time": [int(each.timestamp()) for each in moments],
        "temperature_2m": [20.5] * len(moments),
        "relative_humidity_2m": [40] * len(moments),
        "pressure_msl": [1013.2] * len(moments),
        "weather_code": [61] * len(moments),
    }
    units = {"time": "unixtime", "temperature_2m": "°C", "relative_humidity_2m": "%", "pressure_msl": "hPa"}
    return {"utc_offset_seconds": 0, "hourly_units": units, "hourly": hourly, **changed}


def xml(moment: datetime.datetime, temperature: str = "11.7") -> bytes:
    return (
        f"<current_observation><station_id>KDCA</station_id><temp_c>{temperature}</temp_c>"
        f"<observation_time_rfc822>{time_text(moment)}</observation_time_rfc822></current_observation>"
    ).encode()
