"""The recipes of docs/qa.md for other programs, as they stand there, where these programs are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
import textwrap
import threading
from pathlib import Path

import pytest

from abq_data_entry import postgres
from abq_data_entry.models import SQLModel
from abq_data_entry.workflows.export_view import ViewQuery, export_view
from tests.exporting.conftest import DATABASE
from tests.test_documents import QA, blocks

PATIENCE = 100.0


class Watched:
    """Nobody looks how far an export is."""

    cancel = threading.Event()

    def report(self, done: int, total: int) -> None:
        """So much is done."""


def recipe(words: str) -> str:
    """The recipe that holds these words."""
    (found,) = [each for each in blocks(QA, "text") if words in each]
    return found


@pytest.fixture
def files(month: SQLModel, tmp_path: Path) -> Path:
    """The folder where the records are as each kind of file."""
    for form in ("csv", "xlsx", "parquet"):
        export_view(month, ViewQuery("records"), form, tmp_path / f"records.{form}", Watched())
    return tmp_path


def test_pandas_reads_the_same_from_each_file(
    files: Path, month: SQLModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas", reason="pandas isn't installed: no wheel for this Python")
    pytest.importorskip("pyarrow", reason="pyarrow isn't installed: no wheel for this Python")
    monkeypatch.chdir(files)
    lines = [each for each in recipe("import pandas").splitlines() if "pandas.read_" in each and "sql" not in each]
    assert [re.findall(r"read_\w+", each) for each in lines] == [["read_parquet"], ["read_csv"], ["read_excel"]]
    (stored,) = month.query('SELECT count(*) AS n, sum("Fruit") AS fruit FROM data_record_view') or []
    samples = set()
    for line in lines:
        names = {"pandas": pandas}
        exec(line, names)
        records = names["records"]
        assert (len(records), records["Fruit"].sum()) == (stored["n"], stored["fruit"])
        samples.add(tuple(records["Seed sample"]))
    assert len(samples) == 1


def test_a_panel_of_grafana_can_be_asked(month: SQLModel) -> None:
    statement = recipe("$__timeFilter").replace("$__timeFilter(due)", "due BETWEEN '2026-01-01Z' AND '2027-01-01Z'")
    rows = month.query(statement)
    assert rows and list(rows[0]) == ["time", "temperature_mean", "lab"]


@pytest.mark.needs("installation")
@pytest.mark.skipif(shutil.which("Rscript") is None, reason="no R: apt install r-cran-readr r-cran-rpostgresql")
def test_r_reads_the_file_and_the_database(
    files: Path, month: SQLModel, server: postgres.EmbeddedServer
) -> None:
    endpoint = server.endpoint(DATABASE)
    installed = 'cat(all(c("readr", "RPostgreSQL") %in% rownames(installed.packages())))'
    if subprocess.run(["Rscript", "-e", installed], capture_output=True, text=True).stdout != "TRUE":
        pytest.skip("no packages of R: apt install r-cran-readr r-cran-rpostgresql")
    script = recipe("library(readr)")
    for name, value in (("host", endpoint["host"]), ("user", endpoint["user"]), ("dbname", endpoint["dbname"])):
        script = re.sub(f'{name} = "[^"]*"', f'{name} = "{value}"', script)
    script += textwrap.dedent("""
        kinds <- c(class(records$Date), class(records$Time)[1], class(records$`Seed sample`))
        cat(kinds, nrow(records), nrow(growth), "\\n")
        print(try(dbExecute(connection, "DELETE FROM lab_techs")))
    """)
    (files / "recipe.R").write_text(script, encoding="utf-8")
    done = subprocess.run(
        ["Rscript", "recipe.R"], cwd=files, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    (stored,) = month.query("SELECT (SELECT count(*) FROM data_record_view) AS records, count(*) AS growth"
                            " FROM growth('2026-03-01', '2026-03-31') WHERE lab = 'A'") or []  # fmt: skip
    assert f"Date hms character {stored['records']} {stored['growth']}" in done.stdout, done.stdout + done.stderr
    assert "read-only transaction" in done.stdout + done.stderr


@pytest.mark.needs("installation")
@pytest.mark.skipif(shutil.which("isql") is None, reason="no ODBC: apt install unixodbc odbc-postgresql")
def test_a_statement_by_odbc(
    month: SQLModel, server: postgres.EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endpoint = server.endpoint(DATABASE)
    where = "Servername={host}\nPort={port}\nUsername={user}\nDatabase={dbname}\n".format(**endpoint)
    settings = f"[abq]\nDriver=PostgreSQL Unicode\n{where}ReadOnly=1\n"
    (tmp_path / "odbc.ini").write_text(settings, encoding="utf-8")
    monkeypatch.setenv("ODBCINI", str(tmp_path / "odbc.ini"))

    def ask(statement: str) -> str:
        done = subprocess.run(
            ["isql", "abq", "-b", "-v", "-d,"], input=f"{statement}\n", capture_output=True, text=True, timeout=PATIENCE
        )
        return done.stdout + done.stderr

    asked = ask("SELECT count(*) FROM data_record_view")
    (stored,) = month.query("SELECT count(*) AS n FROM data_record_view") or []
    assert str(stored["n"]) in asked.split(), asked
    assert "Connection is readonly" in ask("DELETE FROM lab_techs")
