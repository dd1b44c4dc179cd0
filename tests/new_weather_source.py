"""Run by test_new_weather_source.py with a copy of the package that has one weather source more: a JSON station."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from abq_data_entry import postgres
from abq_data_entry.commands import line
from abq_data_entry.postgres.connections import cursor_at

SEEN = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) - datetime.timedelta(minutes=5)
READINGS = {
    "observation_time_rfc822": SEEN.strftime("%a, %d %b %Y %H:%M:%S +0000"),
    "temp_c": 21.5,
    "relative_humidity": 40,
    "pressure_mb": 99999,
    "weather": "Fair",
}


class Station(http.server.BaseHTTPRequestHandler):
    """Answers with its readings, and where there are none with 404."""

    answers: dict[str, bytes] = {"/now": json.dumps(READINGS).encode()}  # noqa: RUF012

    def do_GET(self) -> None:
        body = self.answers.get(self.path)
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextlib.contextmanager
def station() -> Iterator[str]:
    """The address of a station that answers at /now only."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Station) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


def main() -> None:
    """Fetch, check and read what is stored; whatever fails raises."""
    start = "import sys, abq_data_entry.network.weather_sources.own_station as _; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", start], text=True).split()
    assert "abq_data_entry.observation" not in loaded  # each start would pay for it
    with station() as address:
        configure(weather_url=f"{address}/{{station}}.xml")
        code, _, problem = run("weather")
        assert code == 1 and "knows no weather station KBMG (404)" in problem, problem  # the first source alone
        configure(weather_url=f"{address}/{{station}}.xml", weather_own_station_url=f"{address}/now")
        try:
            code, said, problem = run("weather")
            assert code == 0 and "21.5 °C, 40 % relative humidity, Fair" in said, said + problem
            with cursor_at(postgres.start(Path(os.environ["ABQ_DATA_DIR"])).endpoint("abq")) as cursor:
                cursor.execute("SELECT datetime, pressure, station, source, kind FROM local_weather")
                assert cursor.fetchall() == [(SEEN, None, "KBMG", "own_station", "observed")]
        finally:
            postgres.EmbeddedServer(Path(os.environ["ABQ_DATA_DIR"]), 60.0, False).stop()
        code, said, _ = run("check", "--only", "weather")
        assert code == 1 and said.count(" Answer ") == 2 and "an observation of station KBMG" in said, said
        Station.answers["/now"] = b"[1, 2"
        code, _, problem = run("weather")
        assert code == 1 and "knows no weather station KBMG (404)" in problem, problem  # the first one's error


def configure(**settings: str) -> None:
    """Write the settings file."""
    folder = Path(os.environ["ABQ_CONFIG_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    entries = {name: {"type": "str", "value": value} for name, value in settings.items()}
    (folder / "abq_settings.json").write_text(json.dumps(entries), "utf-8")


def run(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a subcommand."""
    with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.redirect_stderr(io.StringIO()) as problem:
        code = line.run(words)
    return code, said.getvalue(), problem.getvalue()


if __name__ == "__main__":
    main()
