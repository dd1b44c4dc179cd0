"""Each view for QA against an independent computation by NumPy, SciPy and statsmodels, to six digits."""

from __future__ import annotations

import bisect
import datetime
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

np = pytest.importorskip("numpy", reason="numpy isn't installed: no wheel for this Python")

from tests.qa.data import (  # noqa: E402
    FIRST,
    LABS,
    MINUTE,
    PLOTS,
    TECHNICIANS,
    TIMES,
    ZONE,
    Data,
    Observation,
    Record,
    by,
    due,
    rounded,
)

DAY = datetime.timedelta(days=1)
FIELDS = ("humidity", "light", "temperature")
WINDOW = datetime.timedelta(minutes=45)


def stats() -> Any:
    """SciPy's; loaded here because that takes a second, which every worker would spend."""
    return pytest.importorskip("scipy.stats", reason="scipy isn't installed: no wheel for this Python")


def close(found: Any, expected: Any) -> bool:
    """Whether two values agree to six digits; None and what is no number only with the same."""
    if found is None or expected is None or isinstance(expected, (str, list, bool, datetime.date)):
        return found == expected
    return math.isclose(float(found), float(expected), rel_tol=1e-6, abs_tol=1e-9)


def assert_same(found: dict, expected: dict) -> None:
    """The same keys, and for each the values that are expected."""
    assert found.keys() == expected.keys()
    wrong = {
        (key, name, found[key][name], value)
        for key, row in expected.items()
        for name, value in row.items()
        if not close(found[key][name], value)
    }
    assert not wrong, sorted(map(str, wrong))[:5]


def values(records: Iterable[Record], field: str) -> list[float]:
    return [float(value) for each in records if (value := getattr(each, field)) is not None]


def saturation(celsius: float) -> float:
    return 0.6108 * math.exp(17.27 * celsius / (celsius + 237.3))


def absolute_humidity(observation: Observation) -> float | None:
    if observation.temperature is None or observation.rel_hum is None:
        return None
    celsius = float(observation.temperature)
    pascal = 1000 * saturation(celsius) * float(observation.rel_hum) / 100
    return 1000 * pascal / (461.5 * (celsius + 273.15))


def nearest(weather: Iterable[Observation], moment: datetime.datetime) -> Observation | None:
    """The observation with a temperature, else the model's; the earlier of two that are as near."""
    for model in (False, True):
        near = [
            each for each in weather
            if (each.kind == "model") is model and each.temperature is not None and abs(each.moment - moment) <= WINDOW
        ]  # fmt: skip
        if near:
            return min(near, key=lambda each: (abs(each.moment - moment), each.moment))
    return None


def test_completeness(data: Data) -> None:
    recorded = defaultdict(set)
    for each in data.records:
        recorded[each.date, each.time, each.lab].add(each.plot)
    # The tables were made with twenty plots for each lab.
    expected = {}
    for lab in "AB":
        first = min(check[:2] for check in recorded if check[2] == lab)
        day, now = first[0], datetime.datetime.now(datetime.timezone.utc)
        while due(day, TIMES[0]) <= now:
            for time in TIMES:
                if ((day, time) >= first and due(day, time) <= now) or (day, time, lab) in recorded:
                    there = recorded.get((day, time, lab), set())
                    expected[day, time, lab] = {
                        "expected": 20, "recorded": len(there), "missing": sorted(set(range(1, 21)) - there),
                    }  # fmt: skip
            day += DAY
    assert_same(by(data.rows("SELECT * FROM completeness"), "date", "time", "lab"), expected)


def test_copied_records(data: Data) -> None:
    known = {each[:4]: each for each in data.records}
    expected = {}
    for each in data.records:
        before = known.get((each.date - DAY, *each[1:4]))
        if before is None:
            continue
        climate = each.temperature is not None and each[6:9] == before[6:9]
        heights = each.heights == before.heights
        if climate or heights:
            expected[each[:4]] = {
                "technician": TECHNICIANS[each.technician], "same_climate": climate, "same_heights": heights,
            }  # fmt: skip
    assert {row["same_climate"] for row in expected.values()} == {True, False}
    assert_same(by(data.rows("SELECT * FROM copied_records"), "date", "time", "lab", "plot"), expected)


def test_digit_preference(data: Data) -> None:
    expected = {}
    for number, name in TECHNICIANS.items():
        for field in FIELDS:
            own = [getattr(each, field) for each in data.records if each.technician == number]
            digits = np.bincount([int(value * 100) % 10 for value in own if value is not None], minlength=10)
            chi2, p = stats().chisquare(digits)
            expected[name, field] = {
                "n": digits.sum(), "chi2": chi2, "p": p, "cramers_v": math.sqrt(chi2 / digits.sum() / 9),
                "share_0_5": (digits[0] + digits[5]) / digits.sum(),
            }  # fmt: skip
    found = by(data.rows("SELECT * FROM digit_preference"), "technician", "field")
    assert_same(found, expected)
    assert found["P Taylor", "humidity"]["p"] < 1e-20 < found["J Simms", "humidity"]["p"]


@pytest.mark.parametrize("chi2", [0, 1e-6, 0.5, 3.3, 9, 16.919, 60, 400, 1299, 1e6])
def test_the_tail_of_chi_square(data: Data, chi2: float) -> None:
    ((row),) = data.rows("SELECT chi_square_tail(%s) AS p", [chi2])
    assert close(row["p"], stats().chi2.sf(chi2, 9))


def test_climate_by_check(data: Data) -> None:
    expected = {}
    for check, records in data.checks().items():
        row: dict[str, Any] = {"due": due(*check[:2]), "readings": len(values(records, "temperature"))}
        for field in FIELDS:
            readings = values(records, field)
            enough = len(readings) >= 10
            row[f"{field}_mean"] = np.mean(readings) if enough else None
            row[f"{field}_median"] = np.median(readings) if enough else None
        seen = nearest(data.weather, due(*check[:2]))
        outside = absolute_humidity(seen) if seen else None
        inside, wet = row["temperature_mean"], row["humidity_mean"]
        row |= {
            "outside_temperature": seen and seen.temperature,
            "outside_rel_hum": seen and seen.rel_hum,
            "outside_humidity": outside,
            "outside_pressure": seen and seen.pressure,
            "outside_kind": seen and (seen.kind or "observed"),
            "distance_minutes": seen and abs((seen.moment - due(*check[:2])).total_seconds()) / 60,
            "vpd_kpa": None if inside is None else
            saturation(inside) - wet * 461.5 * (inside + 273.15) / 1e6,
            "temperature_difference": inside - float(seen.temperature or 0)
            if seen and inside is not None else None,
            "humidity_difference": wet - outside if wet is not None and outside is not None else None,
        }  # fmt: skip
        expected[check] = row
    kinds = {row["outside_kind"] for row in expected.values()}
    assert kinds == {"observed", "model", None} and None in {row["vpd_kpa"] for row in expected.values()}
    assert_same(by(data.rows("SELECT * FROM climate_by_check"), "date", "time", "lab"), expected)


@pytest.mark.parametrize("view", ["completeness", "copied_records", "climate_by_check"])
def test_the_function_gives_the_dates_that_are_asked_for(data: Data, view: str) -> None:
    first, last = datetime.date(2026, 3, 5), datetime.date(2026, 3, 12)
    rows = data.rows(f"SELECT * FROM {view} ORDER BY date, time, lab")
    within = [row for row in rows if first <= row["date"] <= last]
    assert within and len(within) < len(rows)
    ordered = f"SELECT * FROM {view}(%s, %s) ORDER BY date, time, lab"
    for parameters, expected in (((first, last), within), ((None, None), rows)):
        found = data.rows(ordered, parameters)
        assert sorted(map(str, found)) == sorted(map(str, expected))


def test_digit_preference_of_some_dates_below_ten_readings_has_no_numbers(data: Data) -> None:
    day = data.records[0].date
    few = data.rows("SELECT * FROM digit_preference(%s, %s) WHERE n < 10", [day, day])
    every = data.rows("SELECT sum(n) AS n FROM digit_preference(%s, %s)", [day, day])
    assert all((row["chi2"], row["p"], row["cramers_v"], row["share_0_5"]) == (None,) * 4 for row in few)
    own = [each for each in data.records if each.date == day]
    assert [float(row["n"]) for row in every] == [sum(len(values(own, field)) for field in FIELDS)]


def test_the_checks_are_due_by_the_clock_of_the_labs(data: Data) -> None:
    rows = data.rows("SELECT date, time, due FROM plot_readings WHERE date BETWEEN '2026-03-07' AND '2026-03-09'")
    assert {row["due"] for row in rows} == {due(row["date"], row["time"]) for row in rows}
    offsets = {row["due"].astimezone(ZONE).utcoffset() for row in rows}
    assert len(offsets) == 2
    assert set(LABS) == {each.lab for each in data.records} and set(PLOTS) == {each.plot for each in data.records}


def day_of(moment: datetime.datetime) -> datetime.date:
    return moment.astimezone(ZONE).date()


def test_growth(data: Data) -> None:
    days = defaultdict(list)
    for each in sorted(data.records):
        days[each.lab, each.plot, each.seed, each.date].append(each)
    sums: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    clipped_sums: dict[tuple[Any, ...], list[float]] = defaultdict(list)
    heights: dict[tuple[Any, ...], float] = {}
    expected = {}
    for key, records in sorted(days.items()):
        plot, height = key[:3], float(records[-1].heights[2])
        warm = values(records, "temperature")
        gdd = clipped = None
        if warm:
            gdd = float(np.clip((min(warm) + max(warm)) / 2, 10, 30)) - 10
            clipped = float(np.clip([min(warm), max(warm)], 10, 30).mean()) - 10
            sums[plot].append(gdd)
            clipped_sums[plot].append(clipped)
        expected[key] = {
            "height": height, "gain": height - heights[plot] if plot in heights else None,
            "gdd": gdd, "gdd_cumulative": sum(sums[plot]) if sums[plot] else None,
            "gdd_clipped": clipped, "gdd_clipped_cumulative": sum(clipped_sums[plot]) if sums[plot] else None,
        }  # fmt: skip
        heights[plot] = height
    assert_same(by(data.rows("SELECT * FROM growth"), "lab", "plot", "seed_sample", "date"), expected)


def check_means(data: Data, field: str) -> dict[tuple[str, datetime.datetime], float]:
    """The means of checks with ten readings or more, by lab and moment."""
    return {
        (check[2], due(*check[:2])): float(np.mean(readings))
        for check, records in sorted(data.checks().items())
        if len(readings := values(records, field)) >= 10
    }


def lag_1(series: Any) -> float:
    from statsmodels.tsa.stattools import acf

    return float(acf(series, nlags=1, fft=False)[1])


def correlated(data: Data, lab: str, field: str, hours: int) -> dict[str, Any]:
    pairs = []
    seen = {True: data.weather, False: [each for each in data.weather if each.rel_hum is not None]}[field != "humidity"]
    ordered = sorted(seen)
    moments = [each.moment for each in ordered]
    for (of_lab, moment), inside in check_means(data, field).items():
        if of_lab != lab:
            continue
        at = moment - datetime.timedelta(hours=hours)
        low, high = bisect.bisect_left(moments, at - WINDOW), bisect.bisect_right(moments, at + WINDOW)
        observation = nearest(ordered[low:high], at)
        if observation is not None:
            outside = absolute_humidity(observation) if field == "humidity" else float(observation.temperature or 0)
            pairs.append((moment, outside, inside))
    pairs.sort()
    x, y = np.array([each[1] for each in pairs]), np.array([each[2] for each in pairs])
    fit = stats().linregress(x, y)
    times = [each[0].astimezone(ZONE).hour for each in pairs]
    left = [np.array([value - series[[other == time for other in times]].mean()
                      for value, time in zip(series, times, strict=True)]) for series in (x, y)]  # fmt: skip
    product = lag_1(x) * lag_1(y)
    effective = len(x) * (1 - product) / (1 + product)
    reach = stats().norm.ppf(0.975) / math.sqrt(effective - 3)
    return {
        "n": len(x), "r": fit.rvalue, "r_without_daily_cycle": stats().pearsonr(*left)[0], "n_effective": effective,
        "low": math.tanh(math.atanh(fit.rvalue) - reach), "high": math.tanh(math.atanh(fit.rvalue) + reach),
        "slope": fit.slope, "intercept": fit.intercept,
    }  # fmt: skip


def test_weather_correlation(data: Data) -> None:
    pytest.importorskip("statsmodels", reason="statsmodels isn't installed: no wheel for this Python")
    found = by(data.rows("SELECT * FROM weather_correlation"), "lab", "field", "lag_hours")
    assert found.keys() == {(lab, field, hours) for lab in LABS for field in FIELDS for hours in range(13)}
    asked = [(lab, field, hours) for lab in LABS for field in FIELDS for hours in (0, 3, 12)]
    assert_same({key: found[key] for key in asked}, {key: correlated(data, *key) for key in asked})


def test_below_ten_pairs_there_is_no_correlation(data: Data) -> None:
    rows = data.rows("SELECT * FROM weather_correlation('2026-03-01', '2026-03-02')")
    assert rows and all(row["n"] < 10 for row in rows)
    assert {value for row in rows for value in list(row.values())[4:]} == {None}


def nelson(z: list[float], steps: list[float], place: int) -> list[int]:
    """The rules that are violated at that place, each as Nelson says it."""

    def last(number: int) -> list[float]:
        return z[place - number + 1 : place + 1] if place + 1 >= number else []

    def beyond(number: int, limit: float, least: int) -> bool:
        recent = z[max(place - number + 1, 0) : place + 1]
        return any(side * z[place] > limit and sum(side * each > limit for each in recent) >= least for side in (1, -1))

    moves = steps[place - 4 : place + 1] if place >= 5 else []
    turns = steps[place - 12 : place + 1] if place >= 13 else []
    rules = {
        1: abs(z[place]) > 3,
        2: bool(last(9)) and len({each > 0 for each in last(9)}) == 1,
        3: bool(moves) and (all(each > 0 for each in moves) or all(each < 0 for each in moves)),
        4: bool(turns) and all(a * b < 0 for a, b in itertools.pairwise(turns)),
        5: beyond(3, 2, 2),
        6: beyond(5, 1, 4),
        7: bool(last(15)) and all(abs(each) < 1 for each in last(15)),
        8: bool(last(8)) and all(abs(each) > 1 for each in last(8)),
    }
    return [number for number, violated in rules.items() if violated]


def test_control_chart(data: Data) -> None:
    expected: dict[tuple[Any, ...], dict[str, Any]] = {}
    for lab, field in itertools.product(LABS, FIELDS):
        points = sorted((moment, mean) for (of_lab, moment), mean in check_means(data, field).items() if of_lab == lab)
        first = min(day_of(moment) for moment, _ in points)
        base = [day_of(moment) < first + 30 * DAY for moment, _ in points]
        usual = defaultdict(list)
        for (moment, mean), counts in zip(points, base, strict=True):
            if counts:
                usual[moment.astimezone(ZONE).hour].append(mean)
        x = [mean - float(np.mean(usual[moment.astimezone(ZONE).hour])) for moment, mean in points]
        own = [value for value, counts in zip(x, base, strict=True) if counts]
        centre, sigma = float(np.mean(own)), float(np.mean(np.abs(np.diff(own)))) / 1.128
        z = [(value - centre) / sigma for value in x]
        steps = [0.0, *np.sign(np.diff(x)).tolist()]
        for place, (moment, _) in enumerate(points):
            expected[lab, field, moment] = {
                "value": x[place], "centre": centre, "lower": centre - 3 * sigma, "upper": centre + 3 * sigma,
                "rules": nelson(z, steps, place), "date": day_of(moment),
            }  # fmt: skip
    assert len({rule for row in expected.values() for rule in row["rules"]}) >= 4
    found = by(data.rows("SELECT * FROM control_chart"), "lab", "field", "moment")
    assert_same(found, expected)
    some = data.rows("SELECT * FROM control_chart('2026-04-01', '2026-04-30', ARRAY[1, 5])")
    assert some and all(
        row["rules"] == [rule for rule in found[row["lab"], row["field"], row["moment"]]["rules"] if rule in (1, 5)]
        for row in some
    )


def residuals(data: Data, field: str, change: Any) -> dict[tuple[Any, ...], float]:
    """The residual of each reading, by date, time, lab and plot."""
    found: dict[tuple[Any, ...], float] = {}
    for records in data.checks().values():
        known = [(each, change(float(value))) for each in records if (value := getattr(each, field)) is not None]
        middle = np.median([value for _, value in known]) if known else None
        found |= {each[:4]: value - middle for each, value in known}
    return found


def test_reading_outliers(data: Data) -> None:
    expected = {}
    readings = {each[:4]: each for each in data.records}
    for field in FIELDS:
        change = math.log1p if field == "light" else float
        series = defaultdict(list)
        for key, residual in sorted(residuals(data, field, change).items()):
            series[key[2], key[3], key[1] if field == "light" else None].append((key, residual))
        medians = {check: np.median(values(records, field)) for check, records in data.checks().items()
                   if values(records, field)}  # fmt: skip
        for points in series.values():
            for place, (key, residual) in enumerate(points):
                around = np.array([each for _, each in points[max(place - 30, 0) : place + 31]])
                middle = np.median(around)
                mad = np.median(np.abs(around - middle))
                if len(around) < 10 or mad < 1e-9 or abs(z := 0.6745 * (residual - middle) / mad) <= 3.5:
                    continue
                value = float(getattr(readings[key], field))
                expected[key[0], key[1], key[2], key[3], field] = {
                    "value": value, "median": medians[key[:3]], "deviation": value - medians[key[:3]], "z": z,
                    "technician": TECHNICIANS[readings[key].technician],
                }  # fmt: skip
    assert {key[4] for key in expected} == set(FIELDS)
    assert_same(by(data.rows("SELECT * FROM reading_outliers"), "date", "time", "lab", "plot", "field"), expected)
    first, last = datetime.date(2026, 4, 1), datetime.date(2026, 4, 9)
    rows = data.rows("SELECT * FROM reading_outliers(%s, %s)", (first, last))
    some = by(rows, "date", "time", "lab", "plot", "field")
    assert some.keys() == {key for key in expected if first <= key[0] <= last}


def since(out: list[bool], dates: list[datetime.date]) -> datetime.date | None:
    """The first day of those at the end that are all outside."""
    run = list(itertools.takewhile(lambda each: each[0], reversed(list(zip(out, dates, strict=True)))))
    return run[-1][1] if run else None


def drifting(points: list[tuple[datetime.date, float]], before: datetime.date) -> dict[str, Any]:
    dates, x = [date for date, _ in points], np.array([value for _, value in points])
    days = np.array([(date - before).days for date in dates])
    slope, _, low, high = stats().theilslopes(x, days)
    base = x[days <= 60]
    z = (x - base.mean()) / base.std(ddof=1)
    ewma = rises = falls = 0.0
    ewma_out, cusum_out = [], []
    for each in z:
        ewma = 0.2 * each + 0.8 * ewma
        rises, falls = max(0, rises + each - 0.5), max(0, falls - each - 0.5)
        ewma_out.append(abs(ewma) > 3 * math.sqrt(0.2 / 1.8))
        cusum_out.append(max(rises, falls) > 5)
    return {
        "days": len(x), "slope_per_day": slope, "low": low, "high": high, "tau": stats().kendalltau(days, x)[0],
        "ewma_since": since(ewma_out, dates), "cusum_since": since(cusum_out, dates),
    }  # fmt: skip


def test_sensor_drift(drifted: Data) -> None:
    expected = {}
    for field in FIELDS:
        daily = defaultdict(list)
        for key, residual in residuals(drifted, field, float).items():
            daily[key[2], key[3], key[0]].append(residual)
        for lab in LABS:
            last = max(each.date for each in drifted.records if each.lab == lab)
            for plot in PLOTS:
                points = [(key[2], round(200 * sum(own)) / len(own) / 200) for key, own in sorted(daily.items())
                          if key[:2] == (lab, plot) and key[2] > last - 90 * DAY]  # fmt: skip
                expected[lab, plot, field] = drifting(points, last - 90 * DAY)
    rows = drifted.rows("SELECT * FROM sensor_drift")
    assert_same(by(rows, "lab", "plot", "field"), expected)
    assert [abs(row["tau"]) for row in rows] == sorted((abs(row["tau"]) for row in rows), reverse=True)
    worst = rows[0]
    assert (worst["lab"], worst["plot"], worst["field"]) == ("B", 7, "temperature")
    assert worst["low"] < 0.05 < worst["high"] and worst["ewma_since"] and worst["cusum_since"]


@pytest.fixture
def drifted(data: Data) -> Iterator[Data]:
    """The same with one sensor that gains 0.05 °C a day."""
    records = [
        each._replace(temperature=rounded(float(each.temperature) + 0.05 * (each.date - FIRST).days, 4, 40))
        if (each.lab, each.plot) == ("B", 7) and each.temperature is not None else each
        for each in data.records
    ]  # fmt: skip
    change = "UPDATE plot_checks SET temperature = %s WHERE (date, time, lab_id, plot) = (%s, %s, %s, %s)"
    for known, old in ((records, data.records), (data.records, records)):
        with closing(psycopg2.connect(make_dsn(**data.endpoint))) as connection, connection.cursor() as cursor:
            for each, before in zip(known, old, strict=True):
                if each != before:
                    cursor.execute(change, [each.temperature, *each[:4]])
            connection.commit()
        if known is records:
            yield data._replace(records=records)


def test_weather_holes(data: Data) -> None:
    observed = sorted(each.moment for each in data.weather if each.kind != "model" and each.temperature is not None)
    first, last = datetime.datetime(2026, 3, 1, tzinfo=ZONE), datetime.datetime(2026, 3, 20, tzinfo=ZONE)
    points = [first, *[each for each in observed if first < each < last], last]
    gaps = {("gap", begin, end, None) for begin, end in itertools.pairwise(points) if end - begin > 90 * MINUTE}
    checks = {
        ("check", due(*check[:2]), due(*check[:2]), check[0]) for check in data.checks()
        if first <= due(*check[:2]) <= last and all(abs(each - due(*check[:2])) > WINDOW for each in observed)
    }  # fmt: skip
    rows = data.rows("SELECT * FROM weather_holes(%s, %s)", (first, last))
    assert len(gaps) > 10 and len(checks) > 3
    assert {(row["kind"], row["begins"], row["ends"], row["date"]) for row in rows} == gaps | checks
    for row in rows:
        long = row["ends"] - row["begins"]
        if row["kind"] == "check":
            long = min(abs(each - row["begins"]) for each in observed)
        assert close(row["minutes"], long.total_seconds() / 60)
    ((end),) = data.rows("SELECT max(ends) AS ends, now() AS now FROM weather_holes(NULL, 'infinity')")
    assert end["ends"] == end["now"]
