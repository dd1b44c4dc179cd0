"""After the tests no shared memory is left of servers that were killed."""

import re
import shutil
import subprocess
import time

import pytest

from tests.orphans import remove_orphaned_segments, segments


@pytest.mark.skipif(not (shutil.which("ipcmk") and shutil.which("ipcrm")), reason="ipcmk and ipcrm are missing")
def test_a_segment_is_removed_whose_maker_is_dead() -> None:
    before = time.time()
    made = subprocess.run(["ipcmk", "-M", "56"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"\d+", made)
    assert found is not None
    number = found[0]
    assert number in [each.number for each in segments()]
    assert number not in remove_orphaned_segments(before + 60), "it was made before"
    assert number in remove_orphaned_segments(before)
    assert number not in [each.number for each in segments()]
