"""The weather feed: real observations, and everything else that may come in their place."""

import datetime
import gzip
import json
import os
import threading
import time
from pathlib import Path

import pytest

from abq_data_entry import network
from abq_data_entry.network.failures import retry_after
from tests.fixtures.servers import BundledServer, bundled_server
from tests.pace import patience

from .faults import Connection, Script, http, serving

OBSERVATIONS = Path(os.environ.get("ABQ_WEATHER", Path(__file__).resolve().parents[3] / "shared" / "weather"))
EXPECTED = json.loads((OBSERVATIONS / "expected.json").read_text("utf-8")) if OBSERVATIONS.is_dir() else {}
GOOD = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<current_observation><weather>Fog\xe9</weather><temp_c> 1.5
</temp_c><pressure_mb/></current_observation>"""


def answering(answer: bytes) -> Script:
    def script(connection: Connection) -> None:
        connection.request()
        connection.send(answer)

    return script


def fetch(script: Script, station: str = "KBMG", timeout: float = 5.0, contact: str = "") -> dict[str, str | None]:
    with serving(script) as port:
        url = f"http://127.0.0.1:{port}/{{station}}.xml"
        return network.get_local_weather(station, url, contact=contact, timeout=timeout)


def observed(**elements: str) -> bytes:
    """An observation of KBMG; an element `name` may hold markup."""
    whole = {
        "station_id": "KBMG",
        "observation_time_rfc822": "Wed, 14 Feb 2018 14:53:00 -0500",
        "temp_c": "11.7",
        "relative_humidity": "96",
        "pressure_mb": "1018.2",
        "weather": "Fog/Mist",
    } | elements
    inside = "".join(f"<{name}>{text}</{name}>" for name, text in whole.items())
    return f"<current_observation>{inside}</current_observation>".encode()


def failure(script: Script, timeout: float = 5.0) -> str:
    with pytest.raises(network.WeatherError) as caught:
        fetch(script, timeout=timeout)
    assert network.describe_failure(caught.value) == str(caught.value)
    return str(caught.value)


@pytest.mark.skipif(not EXPECTED, reason=f"no real observations in {OBSERVATIONS.name} beside the checkout")
@pytest.mark.parametrize("name", sorted(EXPECTED) or ["none"])
def test_real_observations(name: str) -> None:
    body = (OBSERVATIONS / name).read_bytes()
    station = name.partition("-")[0]
    unnamed = b"<station_id>" not in body
    quality = "station not named by the document" if unnamed else None
    further = {"station": station, "source": "nws_xml", "kind": "observed", "quality": quality}
    assert fetch(answering(http("200 OK", body)), station) == EXPECTED[name] | further


@pytest.mark.skipif(not EXPECTED, reason=f"no real observations in {OBSERVATIONS.name} beside the checkout")
@pytest.mark.parametrize("name", sorted(EXPECTED.keys() - {"KBMG-2018.xml"}) or ["none"])  # which names no station
def test_real_observations_of_another_station_are_refused(name: str) -> None:
    body = (OBSERVATIONS / name).read_bytes()
    with pytest.raises(network.WeatherError, match=f"an observation of {name.partition('-')[0]}, not of the station"):
        fetch(answering(http("200 OK", body)), "KXYZ")


@pytest.mark.skipif(not EXPECTED, reason=f"no real observations in {OBSERVATIONS.name} beside the checkout")
def test_real_observations_from_the_bundled_server(tmp_path: Path) -> None:
    options = ["--observations", str(OBSERVATIONS)]
    with bundled_server("sample_http_server.py", *options, workspace=tmp_path) as feed:
        for name, expected in EXPECTED.items():
            observation = network.get_local_weather(name.partition("-")[0], feed.weather_url)
            assert {key: observation[key] for key in expected} == expected


def test_made_up_observation(weather_feed: BundledServer) -> None:
    observation = network.get_local_weather("KBMG", weather_feed.weather_url)
    assert list(observation)[:5] == [
        "observation_time_rfc822", "temp_c", "relative_humidity", "pressure_mb", "weather"
    ]  # fmt: skip
    assert all(value for key, value in observation.items() if key != "quality")
    assert (observation["station"], observation["kind"], observation["quality"]) == ("KBMG", "observed", None)


def test_encoding_white_space_and_absence() -> None:
    assert fetch(answering(http("200 OK", GOOD))) == {
        "observation_time_rfc822": None,
        "temp_c": "1.5",
        "relative_humidity": None,
        "pressure_mb": None,
        "weather": "Fogé",
        "station": "KBMG",
        "source": "nws_xml",
        "kind": "observed",
        "quality": "station not named by the document",
    }


@pytest.mark.parametrize(
    ("key", "text", "told"),
    [
        ("relative_humidity", "101", "relative humidity '101' is outside of what is possible (0 to 100 %)"),
        ("relative_humidity", "NA", "relative humidity 'NA' isn't a number"),
        ("relative_humidity", "-1", "outside of what is possible"),
        ("temp_c", "null", "temperature 'null' isn't a number"),
        ("temp_c", "NaN", "isn't a number"),
        ("temp_c", "1e1", "isn't a number"),
        ("temp_c", "60.01", "outside of what is possible (-90 to 60 °C)"),
        ("pressure_mb", "29.93", "outside of what is possible (850 to 1100 mb)"),
        ("pressure_mb", "Infinity", "isn't a number"),
        ("weather", "NA", "weather 'NA' says nothing"),
    ],
)
def test_one_value_that_cannot_be_used_is_left_out_and_named(key: str, text: str, told: str) -> None:
    good = fetch(answering(http("200 OK", observed())))
    observation = fetch(answering(http("200 OK", observed(**{key: text}))))
    assert observation[key] is None and told in str(observation["quality"])
    assert observation | {key: good[key], "quality": None} == good


def test_a_value_with_many_digits_stays_as_the_feed_has_it() -> None:
    observation = fetch(answering(http("200 OK", observed(temp_c="-3.2999999999999545"))))
    assert (observation["temp_c"], observation["quality"]) == ("-3.2999999999999545", None)


def test_a_value_given_twice_is_left_out_unless_both_are_the_same() -> None:
    def twice(first: str, second: str) -> dict[str, str | None]:
        return fetch(answering(http("200 OK", observed(temp_c=f"{first}</temp_c><temp_c>{second}"))))

    assert twice("5", "5")["temp_c"] == "5"
    assert twice("5", "6")["temp_c"] is None
    assert twice("5", "6")["quality"] == "temperature given 2 times with different values"


@pytest.mark.parametrize(
    ("elements", "told"),
    [
        ({"station_id": "KBMF"}, "an observation of KBMF, not of the station KBMG"),
        ({"station_id": "KBMG KBMF"}, "an observation of KBMG KBMF, not of the station KBMG"),
        ({"station_id": "KBMG</station_id><station_id>KBMF"}, "names 2 stations"),
        (
            {"observation_time_rfc822": "Wed, 14 Feb 2018 14:53:00 -0500</observation_time_rfc822>"
             "<observation_time_rfc822>Wed, 14 Feb 2018 15:53:00 -0500"},
            "names 2 times",
        ),
    ],
)  # fmt: skip
def test_an_observation_that_is_of_another_station_or_time_is_refused(elements: dict[str, str], told: str) -> None:
    assert told in failure(answering(http("200 OK", observed(**elements))))


def test_the_station_may_be_asked_for_in_small_letters() -> None:
    assert fetch(answering(http("200 OK", observed())), "kbmg")["station"] == "KBMG"


def test_request_says_who_asks() -> None:
    requests: list[bytes] = []

    def script(connection: Connection) -> None:
        requests.append(connection.request())
        connection.send(http("200 OK", GOOD))

    fetch(script, "kbmg1234", contact="qa@lab.example (the lab)")
    assert requests[0].startswith(b"GET /kbmg1234.xml HTTP/1.1\r\n")
    assert b"\r\nUser-Agent: abq-data-entry/" in requests[0]
    assert rb"(qa@lab.example \(the lab\))" in requests[0]
    fetch(script, "kbmg1234")
    assert b"(" not in requests[1]


@pytest.mark.parametrize("contact", ["a\r\nX: y", "Zo\u00eb", "x" * 201, "a\x00b"])
def test_a_contact_that_fits_no_header_is_refused_before_any_request(contact: str) -> None:
    with pytest.raises(network.InvalidInput, match="weather_contact"):
        network.get_local_weather("KBMG", "http://127.0.0.1:1/{station}", contact=contact)


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
        (http("200 OK", GOOD[:-10]), "was cut off"),
        (http("200 OK", GOOD[:100]), "was cut off"),
        (http("200 OK", BILLION), "with a type declaration (DTD), which is refused, not an observation in XML"),
        (http("200 OK", b"<!DOCTYPE l><current_observation/>"), "(DTD), which is refused, not an observation in XML"),
        (http("200 OK", OUTSIDE), "(DTD), which is refused, not an observation in XML"),
        (http("200 OK", b'<?xml version="1.0" encoding="nonsense"?><a/>'), "in another encoding than it says"),
        (http("200 OK", b'<?xml version="1.0" encoding="utf-16"?><a/>'), "in another encoding than it says"),
        (http("200 OK", observed(weather="Br\u00fcme").decode().encode("latin-1")), "in another encoding than it says"),
        (http("200 OK", gzip.compress(bytes(10**7)), "Content-Encoding: gzip"), "is compressed (gzip)"),
        (http("200 OK", gzip.compress(GOOD)), "is compressed (gzip)"),
        (http("200 OK", b"\x0b\x02\x80ab", "Content-Encoding: br"), "is compressed (br)"),
        (http("200 OK", b'{"title": "Not Found"}'), "JSON, not an observation in XML"),
        (http("200 OK", b"%PDF-1.7"), "a PDF document, not an observation in XML"),
        (http("200 OK", b"see you", "Content-Type: text/plain; charset=x"), "(text/plain), not an observation in XML"),
        (http("200 OK", GOOD.replace(b"<temp_c>", b"<temp_c")), "damaged, not an observation in XML"),
        (http("200 OK", bytes(70_000)), "too large"),
        (http("200 OK", b"<a>" * 21_000), "was cut off"),
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
    assert "redirected us to another address (302)" in failure(answering(http("302 Found", b"", f"Location: {place}")))


def test_an_interim_answer_is_passed_over() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    assert fetch(answering(interim + http("200 OK", GOOD)))["temp_c"] == "1.5"


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

    assert "redirected us to another address (302)" in failure(script)
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
    assert time.monotonic() - start < patience(2)


def test_silence_ends_in_time() -> None:
    start = time.monotonic()
    assert "didn't answer in time" in failure(lambda connection: connection.stall(), timeout=0.3)
    assert time.monotonic() - start < patience(2)


def test_slow_drip_ends_in_time() -> None:
    def script(connection: Connection) -> None:
        connection.request()
        connection.drip(http("200 OK", GOOD), 0.05)

    start = time.monotonic()
    assert "didn't answer in time" in failure(script, timeout=0.5)
    assert time.monotonic() - start < patience(2)


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
    assert time.monotonic() - freed[0] < patience(2)


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


def test_a_busy_feed_is_left_alone_until_it_says(tmp_path: Path) -> None:
    """Also by another process: the pause is kept in a file."""
    asked: list[bytes] = []

    def script(connection: Connection) -> None:
        asked.append(connection.request())
        busy = len(asked) < 2
        connection.send(http("429 Slow down", b"", "Retry-After: 120") if busy else http("200 OK", observed()))

    kept = tmp_path / "pauses.json"
    with serving(script) as port:
        url = f"http://127.0.0.1:{port}/{{station}}"
        with pytest.raises(network.WeatherBusy, match=r"is busy .429.*accepts no request before"):
            network.get_local_weather("KBMG", url, pauses=network.Pauses(kept))
        for pauses in (network.Pauses(kept), network.Pauses(kept)):
            with pytest.raises(network.WeatherBusy, match="was not asked"):
                network.get_local_weather("KBMG", url, pauses=pauses)
        assert len(asked) == 1
        place = f"127.0.0.1:{port}"
        left = json.loads(kept.read_text("utf-8"))[place] - time.time()
        assert 100 < left <= 120
        kept.write_text(json.dumps({place: time.time() - 1}), "utf-8")
        assert network.get_local_weather("KBMG", url, pauses=network.Pauses(kept))["temp_c"] == "11.7"


def test_a_pause_without_a_place_for_its_file_holds_in_this_process(tmp_path: Path) -> None:
    pauses = network.Pauses(tmp_path / "missing" / "pauses.json")
    now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    pauses.keep("a.example", now + datetime.timedelta(minutes=1))
    assert pauses.until("a.example") == now + datetime.timedelta(minutes=1)
    assert pauses.until("b.example") is None


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"a.example": "soon"}', '{"a.example": 1e300}'])
def test_a_file_of_pauses_that_makes_no_sense_stops_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "pauses.json").write_text(text, "utf-8")
    assert network.Pauses(tmp_path / "pauses.json").until("a.example") is None


NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.timezone.utc)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120),
        (" 5 ", 5),
        ("Thu, 26 Nov 2026 12:10:00 GMT", 600),
        ("Thu, 26 Nov 2026 11:00:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("99999999999999", 86400),
        ("Thu, 26 Nov 2037 12:10:00 GMT", 86400),
    ],
)
def test_retry_after_means(text: str, seconds: int | None) -> None:
    until = retry_after(text, NOW)
    assert until == (None if seconds is None else NOW + datetime.timedelta(seconds=seconds))
