"""The zone that a late run of the tests lives in."""

import datetime
import subprocess
import sys

import pytest

from tests.midnight import NOON, ZONES, zone_at_noon


@pytest.mark.skipif(not ZONES.is_dir(), reason="no time zones here")
def test_it_is_noon_there_at_any_hour() -> None:
    moments = [datetime.datetime(2026, 11, 27, hour, 50, tzinfo=datetime.timezone.utc) for hour in range(24)]
    asked = [(zone_at_noon(each), each.timestamp()) for each in moments]
    code = (
        "import os, time\n"
        f"for zone, moment in {asked!r}:\n"
        "    os.environ['TZ'] = zone\n"
        "    time.tzset()\n"
        "    print(time.localtime(moment).tm_hour)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(NOON)] * 24
