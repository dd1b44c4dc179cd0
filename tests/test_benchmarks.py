"""The benchmarks keep working: the whole command in its tiniest size."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from abq_data_entry.launcher.display import TOOLS

CHECKOUT = Path(__file__).resolve().parent.parent
# As `python3 -m benchmarks` goes on inside .venv, without a look whether .venv fits.
_RUN = "import sys\nfrom benchmarks.command import run\nif __name__ == '__main__':\n    sys.exit(run(sys.argv[1:]))\n"


@pytest.mark.needs("window", "server", "network")
@pytest.mark.timeout(540)  # every group of them, with servers of their own
@pytest.mark.skipif(sys.platform != "linux", reason="the benchmarks bring an X display")
@pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason="the benchmarks need Xvfb and openbox")
def test_the_table_is_printed_with_a_measurement_for_every_limit(tmp_path: Path) -> None:
    """Exit code 0 whatever the numbers are, and nothing that fell over."""
    program = tmp_path / "run.py"
    program.write_text(_RUN, "utf-8")
    done = subprocess.run(
        [sys.executable, str(program), "--quick", "--runs", "1", "--patience", "60"],
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    table = done.stdout
    for limit in ("2.50 ×", "0.60 s", "1.10 ×", "30.0 ms", "2.00 ×", "1.25 ×", "50.0 ms", "1.15 ×", "1.60 ×", "2.00 s"):
        assert limit in table
    for limit in ("5.00 ms", "0.00 files"):  # the outbox
        assert limit in table
    assert "1.50 ×" in table  # the audit
    missing = [line for line in table.splitlines() if "not measured" in line]
    # The launcher, where .venv wasn't made by it; programs that this machine doesn't have.
    assert all(re.search(r"was never started here|is missing", line) for line in missing), f"{table}\n{done.stderr}"
    assert "Traceback" not in done.stderr
