"""The weather feed: real observations, and everything else that may come in their place."""

import gzip
import json
import threading
import time
from pathlib import Path

import pytest

from abq_data_entry import network
from tests.fixtures.servers import BundledServer, bundled_server

from .faults import Connection, Script, http, serving

OBSERVATIONS = Path(__file__).resolve().parents[3] / "shared" / "weather"
EXPECTED = json.loads((OBSERVATIONS / "expected.json").read_text("utf-8")) if OBSERVATIONS.is_dir() else {}
GOOD = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<current_observation><weather>Fog\xe9</weather><temp_c> 1.5
</temp_c><pressure_mb/></current_observation>"""


def answering(answer: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(answer)

    return script


def fetch(script: Script, station: str = "KBMG", timeout: float = 5.0) -> dict[str, str | None]:
    with serving(script) as port:
        return network.get_local_weather(station, f"http://127.0.0.1:{port}/{{station}}.xml", timeout=timeout)


def failure(script: Script, timeout: float = 5.0) -> str:
    with pytest.raises(network.WeatherError) as caught:
        fetch(script, timeout=timeout)
    assert network.describe_failure(caught.value) == str(caught.value)
    return str(caught.value)


@pytest.mark.skipif(not EXPECTED, reason=f"no real observations in {OBSERVATIONS.name} beside the checkout")
@pytest.mark.parametrize("name", sorted(EXPECTED) or ["none"])
def test_real_observations(name: str) -> None:
    body = (OBSERVATIONS / name).read_bytes()
    assert fetch(answering(http("200 OK", body))) == EXPECTED[name]


@pytest.mark.skipif(not EXPECTED, reason=f"no real observations in {OBSERVATIONS.name} beside the checkout")
def test_real_observations_from_the_bundled_server(tmp_path: Path) -> None:
    options = ["--observations", str(OBSERVATIONS)]
    with bundled_server("sample_http_server.py", *options, workspace=tmp_path) as feed:
        for name, expected in EXPECTED.items():
            assert network.get_local_weather(name.partition("-")[0], feed.weather_url) == expected


def test_made_up_observation(weather_feed: BundledServer) -> None:
    observation = network.get_local_weather("KBMG", weather_feed.weather_url)
    assert set(observation) == {"observation_time_rfc822", "temp_c", "relative_humidity", "pressure_mb", "weather"}
    assert all(observation.values())


def test_encoding_white_space_and_absence() -> None:
    assert fetch(answering(http("200 OK", GOOD))) == {
        "observation_time_rfc822": None,
        "temp_c": "1.5",
        "relative_humidity": None,
        "pressure_mb": None,
        "weather": "Fogé",
    }


def test_request_says_who_asks() -> None:
    requests: list[bytes] = []

    def script(connection: Connection) -> None:
        requests.append(connection.request())
        connection.send(http("200 OK", GOOD))

    fetch(script, "kbmg1234")
    assert requests[0].startswith(b"GET /kbmg1234.xml HTTP/1.1\r\n")
    assert b"\r\nUser-Agent: abq-data-entry/" in requests[0] and b"(it@abq.example)" in requests[0]


BILLION = b'<!DOCTYPE l [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><current_observation>&b;</current_observation>'
OUTSIDE = b'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/hostname">]><current_observation>&a;</current_observation>'


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (http("404 Not Found"), "knows no weather station KBMG (404)"),
        (http("403 Forbidden"), "refused to give the observation (403)"),
        (http("500 Oops"), "had an error of its own (500)"),
        (http("503 Busy"), "had an error of its own (503)"),
        (http("429 Slow down"), "is busy (429)"),
        (http("200 OK", b""), "is empty"),
        (http("200 OK", b" \n"), "is empty"),
        (http("200 OK", b"<!DOCTYPE html><html><form></form></html>"), "a web page, not an observation"),
        (http("200 OK", b"<html><body/></html>"), "a web page, not an observation"),
        (http("200 OK", b"<other/>"), "something else, not an observation"),
        (http("200 OK", GOOD[:-10]), "not an observation in XML"),
        (http("200 OK", BILLION), "not an observation in XML"),
        (http("200 OK", b"<!DOCTYPE l><current_observation/>"), "not an observation in XML"),
        (http("200 OK", OUTSIDE), "not an observation in XML"),
        (http("200 OK", b'<?xml version="1.0" encoding="nonsense"?><a/>'), "not an observation in XML"),
        (http("200 OK", b'<?xml version="1.0" encoding="utf-16"?><a/>'), "not an observation in XML"),
        (http("200 OK", gzip.compress(bytes(10**7)), "Content-Encoding: gzip"), "not an observation in XML"),
        (http("200 OK", bytes(70_000)), "too large"),
        (http("200 OK", b"<a>" * 21_000), "not an observation in XML"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + GOOD, "cut before the whole observation"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n" + GOOD, "was cut"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "doesn't speak HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + bytes(70_000) + b"\r\n\r\n", "too large"),
        (b"", "was cut"),
    ],
)
def test_what_may_come_instead(answer: bytes, told: str) -> None:
    assert told in failure(answering(answer))


@pytest.mark.parametrize(
    "place",
    ["http://127.0.0.2:1/x.xml", "http://localhost:1/x.xml", "file:///etc/hostname", "ftp://127.0.0.1/x"],
)
def test_redirects_elsewhere_are_refused(place: str) -> None:
    assert "sent us on to another address (302)" in failure(answering(http("302 Found", b"", f"Location: {place}")))


def test_redirect_on_the_same_host_is_followed() -> None:
    def script(connection: Connection) -> None:
        moved = b"/KBMG.xml" in connection.request()
        connection.send(http("301 Moved", b"", "Location: /new/place") if moved else http("200 OK", GOOD))

    assert fetch(script)["temp_c"] == "1.5"


def test_redirects_end() -> None:
    asked: list[bytes] = []

    def script(connection: Connection) -> None:
        asked.append(connection.request())
        connection.send(http("302 Found", b"", f"Location: /{len(asked)}"))

    assert "sent us on to another address (302)" in failure(script)
    assert len(asked) < 10


def test_slow_redirects_end_in_time() -> None:
    """The limit holds for the whole, not for each connection."""
    paused = threading.Event()

    def script(connection: Connection) -> None:
        path = connection.request().split(b" ")[1]
        paused.wait(0.2)
        connection.send(
            http("302 Found", b"", f"Location: {path.decode()}x") if len(path) < 14 else http("200 OK", GOOD)
        )

    start = time.monotonic()
    assert "didn't answer in time" in failure(script, timeout=0.5)
    assert time.monotonic() - start < 2


def test_silence_ends_in_time() -> None:
    start = time.monotonic()
    assert "didn't answer in time" in failure(lambda connection: connection.stall(), timeout=0.3)
    assert time.monotonic() - start < 2


def test_slow_drip_ends_in_time() -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.drip(http("200 OK", GOOD), 0.05)

    start = time.monotonic()
    assert "didn't answer in time" in failure(script, timeout=0.5)
    assert time.monotonic() - start < 2


def test_slow_drip_of_the_body_ends_in_time() -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")  # ends with the connection, so that a cut looks like an end
        connection.drip(GOOD, 0.05)

    assert "didn't answer in time" in failure(script, timeout=0.5)


def test_body_without_an_end_ends_in_time() -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n" + GOOD)
        connection.drip(b" " * 200, 0.05)

    assert "didn't answer in time" in failure(script, timeout=0.5)


def test_no_more_is_read_than_needed() -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + bytes(70_000))
        connection.stall()

    assert "too large" in failure(script)


def test_reset() -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.reset()

    assert "was cut" in failure(script)


def test_nobody_listens() -> None:
    with serving(lambda connection: None) as port:
        pass
    with pytest.raises(network.WeatherError, match="refused the connection"):
        network.get_local_weather("KBMG", f"http://127.0.0.1:{port}/{{station}}")


def test_host_unknown() -> None:
    with pytest.raises(network.WeatherError, match=r"nowhere\.invalid isn't known"):
        network.get_local_weather("KBMG", "http://nowhere.invalid/{station}")


def test_cancel_frees_a_stalled_fetch() -> None:
    cancel, asked = threading.Event(), threading.Event()
    freed: list[float] = []

    def script(connection: Connection) -> None:
        connection.request()
        asked.set()
        connection.stall()

    def end() -> None:
        asked.wait(10)
        freed.append(time.monotonic())
        cancel.set()

    threading.Thread(target=end, daemon=True).start()
    with serving(script) as port, pytest.raises(network.Cancelled):
        network.get_local_weather("KBMG", f"http://127.0.0.1:{port}/{{station}}", cancel=cancel)
    assert time.monotonic() - freed[0] < 2


@pytest.mark.parametrize("station", ["", "KBM", "KBMG12345", "KB/G", "../etc", "KB G", "K\u00c4MG", "KBMG\n", "{x}K"])
def test_bad_stations_are_refused_before_any_request(station: str) -> None:
    asked: list[bytes] = []
    with (
        serving(lambda connection: asked.append(connection.request())) as port,
        pytest.raises(network.InvalidInput, match="4 to 8 letters and digits"),
    ):
        network.get_local_weather(station, f"http://127.0.0.1:{port}/{{station}}")
    assert not asked


@pytest.mark.parametrize(
    "url",
    ["https://example.org/KBMG.xml", "file:///{station}", "ftp://example.org/{station}", "http://u:p@h/{station}"],
)
def test_bad_addresses_are_refused(url: str) -> None:
    with pytest.raises(network.InvalidInput):
        network.get_local_weather("KBMG", url)


def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes] = []

    def proxy(connection: Connection) -> None:
        seen.append(connection.request())
        connection.send(http("200 OK", GOOD))

    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with serving(proxy) as port:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
        network.get_local_weather("KBMG", "http://feed.invalid/{station}")
        assert seen[0].startswith(b"GET http://feed.invalid/KBMG HTTP/1.1\r\n")
        fetch(answering(http("200 OK", GOOD)))  # this machine itself is reached directly
    assert len(seen) == 1


def test_default_address_is_encrypted() -> None:
    assert network.WEATHER_URL == "https://forecast.weather.gov/xml/current_obs/{station}.xml"
