"""The documents say what is true: links lead somewhere, names and lines are those of the code, examples run."""

from __future__ import annotations

import argparse
import datetime
import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from abq_data_entry import fields
from abq_data_entry.commands.line import parser
from abq_data_entry.launcher import system_packages
from abq_data_entry.mainmenu import keys_text
from abq_data_entry.models import SETTINGS, Setting, SettingsModel, SQLModel
from abq_data_entry.models.undoing import By
from abq_data_entry.network.destinations import STORED_KINDS
from abq_data_entry.stored_destination import StoredDestination

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
README, QA, ADMINISTRATORS = ROOT / "README.md", ROOT / "docs/qa.md", ROOT / "docs/administrators.md"
LAB_STAFF, DEVELOPERS = ROOT / "docs/lab-staff.md", ROOT / "docs/developers.md"
ARCHITECTURE = ROOT / "docs/architecture.md"
DELIVERIES = ROOT / "docs/deliveries.md"
LARGEST_IMAGE = 150 * 1024

each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
_FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# Folders of developers' machines and of users; /etc and /dev are examples that are the same everywhere.
_MACHINE_PATH = re.compile(r"(?<![\w~}/.])/(?:work|farm|root|home|tmp|Users|mnt|opt)\b|[A-Z]:\\")


def text_of(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def blocks(document: Path, language: str) -> list[str]:
    """The fenced blocks of a language; "" for those without one."""
    return [body for kind, body in _FENCE.findall(text_of(document)) if kind == language]


def prose(document: Path) -> str:
    return _FENCE.sub("", text_of(document))


def anchors(document: Path) -> set[str]:
    """The anchors of its headings, as code hosts make them."""
    headings = re.findall(r"^#+ +(.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def rows(document: Path) -> list[list[str]]:
    """The cells of all table rows."""
    lines = [line for line in text_of(document).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


@each_document
def test_links_lead_to_files_and_headings(document: Path) -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", prose(document))
    wrong = []
    for target in targets:
        if target.startswith("https://"):
            continue
        name, _, anchor = target.partition("#")
        place = document.parent / name if name else document
        if not place.is_file() or (anchor and anchor not in anchors(place)):
            wrong.append(target)
    assert not wrong


@each_document
def test_no_document_names_a_place_on_somebodys_machine(document: Path) -> None:
    assert not _MACHINE_PATH.findall(text_of(document))


@each_document
def test_lines_of_prose_fit(document: Path) -> None:
    lines = (line for line in prose(document).splitlines() if not line.startswith("|"))
    assert not [line for line in lines if len(line) > 120]


def test_images_are_used_and_small() -> None:
    images = set((ROOT / "docs/images").glob("*"))
    used = {
        (document.parent / target).resolve()
        for document in DOCUMENTS
        for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", prose(document))
    }
    assert images == used
    assert all(image.suffix == ".png" and image.stat().st_size <= LARGEST_IMAGE for image in images)


COMMANDS = {
    "abq-data-entry", "/usr/local/bin/abq-data-entry", "python3", ".venv/bin/python", "psql", "createuser",
    "createdb", "keyring", "git", "cd", "uv", "pipx", "schtasks", "sudo", ".ci/tk9", "mkdir", "printf", "chmod",
}  # fmt: skip
"""How the lines of a block without a language may begin; tests/documents types them."""


@each_document
def test_a_block_without_a_language_holds_commands(document: Path) -> None:
    lines = [line.strip() for block in blocks(document, "") for line in block.splitlines() if line.strip()]
    lines = [re.sub(r"^(?:[\d*/,-]+ +){5}", "", line) for line in lines]
    found = {re.sub(r"^(?:[A-Z_]+=\S+ )+", "", line).split()[0] for line in lines}
    assert found <= COMMANDS, "a block of output or of a file is of the language `text`"


# -- names and lines of the code ------------------------------------------------------------------------------


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: str(setting.name))
def test_every_setting_stands_with_type_and_default(setting: Setting) -> None:
    default = str(setting.default).lower() if setting.type == "bool" else str(setting.default)
    expected = f"`{default}`" if default else "empty"
    found = [row for row in rows(ADMINISTRATORS) if row[0] == f"`{setting.name}`"]
    assert [row[1:3] for row in found] == [[setting.type, expected]]


@pytest.mark.parametrize("example", blocks(ADMINISTRATORS, "json"))
def test_examples_of_settings_are_taken_as_they_are(example: str, tmp_path: Path) -> None:
    (tmp_path / "abq_settings.json").write_text(example, encoding="utf-8")
    assert SettingsModel("abq_settings.json", tmp_path).problems == []


def test_no_setting_is_invented() -> None:
    typed = [row[0].strip("`") for row in rows(ADMINISTRATORS) if len(row) > 3 and row[1] in ("bool", "int", "str")]
    assert sorted(typed) == sorted(setting.name for setting in SETTINGS)


def words(of: argparse.ArgumentParser, before: str = "") -> Iterator[str]:
    """Every word of the command line with the words that follow it, such as `db dsn`."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, below in action.choices.items():
                deeper = list(words(below, f"{before}{name} "))
                if not deeper or _stands_alone(below):
                    yield f"{before}{name}"
                yield from deeper
        elif action.dest == "destination" and action.choices:
            yield from (f"{before}{choice}" for choice in action.choices)


def _stands_alone(word: argparse.ArgumentParser) -> bool:
    """Whether a word does something without the words that may follow it."""
    return any(isinstance(each, argparse._SubParsersAction) and not each.required for each in word._actions)


def options(of: argparse.ArgumentParser) -> Iterator[str]:
    """Every option of the command line and of its words."""
    for action in of._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from options(below)
        yield from (option for option in action.option_strings if option.startswith("--"))


def test_every_subcommand_is_documented() -> None:
    known = list(words(parser()))
    assert {"weather", "export", "upload rest", "upload ftp", "db dsn", "demo"} <= set(known)
    told = "".join(text_of(document) for document in (README, QA, ADMINISTRATORS))
    assert not [word for word in known if not re.search(rf"(`|abq-data-entry ){word}\b", told)]


def test_every_kind_and_column_of_a_destination_is_documented() -> None:
    added = {kind for each in DOCUMENTS for block in blocks(each, "")
             for kind in re.findall(r"^abq-data-entry destinations add \S+ (\S+) ", block, re.MULTILINE)}  # fmt: skip
    assert added == set(STORED_KINDS)
    assert not [kind for kind in STORED_KINDS if f"**`{kind}`**" not in text_of(DELIVERIES)]
    told = {name for row in rows(DELIVERIES) for name in re.findall(r"`(\w+)`", row[0])}
    assert told - {"destinations"} == set(StoredDestination._fields)  # which stands in the heading


def test_every_option_is_documented_for_administrators() -> None:
    told = text_of(ADMINISTRATORS)
    assert not [option for option in set(options(parser())) - {"--output"} if option not in told]


def test_commands_of_the_documents_exist() -> None:
    known, known_options = set(words(parser())), set(options(parser()))
    for document in DOCUMENTS:
        # A destination that the document adds is one to upload to.
        known |= {f"upload {name}" for name in re.findall(r"destinations add (\w+)", text_of(document))}
        for line in re.findall(r"(?:abq-data-entry|abq_data_entry\.py) ([a-z][^\n`\")]*)", text_of(document)):
            command = line.split()
            both = " ".join(command[:2])
            first = both if command[0] in ("db", "upload") or both in known else command[0]
            assert first in known, f"{document.name}: {line}"
            assert {each for each in command if re.fullmatch(r"--[a-z][a-z-]*", each)} <= known_options, line


def test_the_two_commands_of_the_readme_exist() -> None:
    commands = re.findall(r"^python3 ([^#\n]+?) *(?:#.*)?$", "\n".join(blocks(README, "")), re.MULTILINE)
    assert commands == ["abq_data_entry.py demo", "abq_data_entry.py", "-m tests"]
    assert (ROOT / "abq_data_entry.py").is_file() and (ROOT / "tests/__main__.py").is_file()


def test_every_key_stands_in_the_tour_for_lab_staff() -> None:
    told = [row for row in rows(LAB_STAFF) if row[0].startswith("`")]
    assert told == [[f"`{key}`", text] for key, text in keys_text(mac=False)]


@pytest.mark.parametrize(
    ("system", "manager", "version"),
    [
        ("Debian, Ubuntu", system_packages.DEBIAN, ""),
        ("Fedora", system_packages.FEDORA, ""),
        ("Arch", system_packages.ARCH, ""),
        ("macOS, Homebrew", system_packages.HOMEBREW, "3.13"),
    ],
)
def test_the_package_lines_of_the_readme_are_those_that_are_run(
    system: str, manager: system_packages.Manager, version: str
) -> None:
    missing = ["tkinter"] if manager is system_packages.HOMEBREW else ["tkinter", "venv"]
    line = system_packages.line(manager.commands(missing, version))
    assert [system, f"`{line}`"] in rows(README)


def test_the_line_for_the_tests_is_the_one_that_is_run() -> None:
    line = system_packages.line(system_packages.DEBIAN.commands(["Xvfb", "openbox", "xdotool", "psql"], ""))
    assert line.partition(" && ")[2] in text_of(README)


def test_every_part_of_the_package_stands_in_the_layout() -> None:
    layout = blocks(ARCHITECTURE, "text")[0]
    package = ROOT / "abq_data_entry"
    parts = {path.name for path in package.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert not [part for part in sorted(parts - {"__init__.py"}) if not re.search(rf"\b{re.escape(part)}", layout)]


@pytest.mark.parametrize("document", [DEVELOPERS, ARCHITECTURE, ROOT / "CONTRIBUTING.md"], ids=lambda path: path.name)
def test_files_that_developers_are_sent_to_exist(document: Path) -> None:
    named = set(re.findall(r"`([\w./]+(?:\.py|\.sql|\.md|\.toml|\.lock|/run|/lock))`", text_of(document)))
    examples = ("network/destinations/json_rpc", "network/weather_sources/own_station", "application/record_count")
    named -= {f"abq_data_entry/{each}.py" for each in examples}
    named -= {"journal/writing.lock", "journal/replaying.lock", "drafts/drafts.lock"}  # of the data folder
    packages = ("abq_data_entry", "abq_data_entry/network", "abq_data_entry/views", "tests/fixtures")
    places = (ROOT, *(ROOT / each for each in packages))
    assert not [name for name in named if not any((place / name).is_file() for place in places)]


# -- the examples for QA and administrators -------------------------------------------------------------------


@pytest.fixture
def session(database: dict[str, str]) -> Iterator[Connection]:
    """A session as an administrator's, at a fresh database."""
    made = psycopg2.connect(make_dsn(**database))
    yield made
    made.close()


def record(plot: int, **values: object) -> dict[str, object]:
    """A valid record of today, 8:00, lab A."""
    texts = ("24.09", "1.03", "22.01", "", "9", "21", "3", "1.67", "8.70", "2.73", "")
    readings = dict(zip(fields.CSV_HEADER[6:], texts, strict=False))
    key = {"Date": datetime.date.today(), "Time": "8:00", "Technician": "J Simms", "Lab": "A", "Plot": plot}
    return {**key, "Seed sample": "AXM477", **readings, **values}


def delivery(**columns: object) -> dict[str, object]:
    """A delivery of today's extract that has arrived."""
    today = datetime.date.today()
    told = {"created": datetime.datetime.now(datetime.timezone.utc), "date": today, "file_name": "extract.csv"}
    where = {"destination": "rest", "address": "https://data.example", "username": "lab-a", "state": "delivered"}
    rest = {"size": 1, "sha256": "0" * 64, "attempts": 1, "last_attempt": None, "reason": None, "revision": 1}
    return {"id": uuid.uuid4().hex, **told, **where, **rest, "audit_head": None, **columns}


def answers(session: Connection, statement: str) -> list[tuple[object, ...]]:
    with session.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def test_the_queries_for_qa_find_what_they_promise(model: SQLModel, session: Connection) -> None:
    for plot in (1, 2, 4):
        model.save_record(record(plot))
    model.save_record(record(1, Time="12:00", **{"Max Height": "20"}))
    zone = "America/Indiana/Indianapolis"
    with session, session.cursor() as cursor:
        for time, weather in (("07:30", "Fair"), ("08:10", "Rain")):
            moment = f"(date '{datetime.date.today()}' + time '{time}') AT TIME ZONE '{zone}'"
            cursor.execute(f"INSERT INTO local_weather VALUES ({moment}, 5, 50, 1015, '{weather}')")
    for version, minute in ((1, 15), (2, 45)):
        delivered_at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minute)
        model.record_deliveries([delivery(version=version, delivered=delivered_at)])
    model.save_record(record(2, Humidity="25.00"), reason="misread")
    model.record_deliveries([delivery(version=1, destination="ftp", delivered=delivered_at,
                                   audit_head=model.audit_heads(datetime.date.today()))])  # fmt: skip
    model.withdraw_record((datetime.date.today(), "8:00", "A", 4), "typed twice", by=By("J Simms"))
    model.mark_value((datetime.date.today(), "8:00", "A", 1), "humidity", "queried", "Twice its neighbours?")
    corrected, broken, withdrawn, asked, newest, inside, averages, missing, never, growth, outdated, delivered, *_ = (
        answers(session, each) for each in blocks(QA, "sql")
    )
    assert [row[3:8] for row in asked] == [("A", 1, "humidity", "24.09", "Twice its neighbours?")]
    assert [row[1:3] for row in withdrawn] == [(f"J Simms (login {session.info.user})", "typed twice")]
    assert [row[:2] for row in outdated] == [(datetime.date.today(), "ftp"), (datetime.date.today(), "rest")]
    assert [(row[2], row[3], row[5]) for row in corrected] == [("misread", "2", "25.00")]
    assert broken == []
    assert [row[-1] for row in newest] == ["Fair", None]
    assert [(row[2], row[3], row[4]) for row in inside] == [(fields.parse(fields.field("Temperature"), "22.01"), 5, 2)]
    assert [row[:3] for row in averages] == [("A", "8:00", 2), ("A", "12:00", 1)]
    assert missing[0][-1] == [3, *range(4, 21)]
    assert len(never) == 7 * 4 * 5
    assert [(row[0], row[1], row[3]) for row in growth] == [("A", 1, "12:00")]
    assert [row[:3] for row in delivered] == [(datetime.date.today(), "ftp", 1), (datetime.date.today(), "rest", 2)]


def test_the_columns_for_qa_are_those_of_the_view_and_the_weather(session: Connection) -> None:
    for relation, quote in (("data_record_view", '"'), ("local_weather", ""), ("deliveries", "")):
        found = answers(
            session,
            "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
            f" WHERE attrelid = '{relation}'::regclass AND attnum > 0 ORDER BY attnum",
        )
        told = [row for row in rows(QA) if row[0] in [f"`{quote}{name}{quote}`" for name, _ in found]]
        assert [row[0] for row in told] == [f"`{quote}{name}{quote}`" for name, _ in found]
        for (_, kind), row in zip(found, told, strict=True):
            short = str(kind).replace("character varying", "varchar").replace("character", "char").replace("(0)", "")
            assert short.startswith(row[1]), row


def test_the_statements_for_administrators_run(session: Connection) -> None:
    statements = blocks(ADMINISTRATORS, "sql")
    assert len(statements) == 2
    # Roles belong to the whole server: the transaction is never committed.
    with session.cursor() as cursor:
        for each in statements:
            cursor.execute(each)
        cursor.execute("SELECT count(*) FROM plots WHERE lab_id = 'G' AND current_seed_sample = 'AXM480'")
        assert cursor.fetchall() == [(10,)]
    session.rollback()


def test_a_technician_with_the_privileges_of_the_document_can_work(
    session: Connection, database: dict[str, str]
) -> None:
    privileges = blocks(ADMINISTRATORS, "sql")[0]
    with session.cursor() as cursor:
        cursor.execute(privileges)
        cursor.execute("SET LOCAL ROLE jsimms")
        cursor.execute("INSERT INTO lab_checks VALUES (current_date, '8:00', 'A', 4291)")
        cursor.execute(
            "INSERT INTO plot_checks (date, time, lab_id, plot, seed_sample, equipment_fault, plants, blossoms, fruit,"
            " min_height, max_height, median_height)"
            " VALUES (current_date, '8:00', 'A', 1, 'AXM477', true, 1, 1, 1, 1, 1, 1)"
        )
        cursor.execute("UPDATE lab_checks SET lab_tech_id = 4319")
        cursor.execute("INSERT INTO local_weather (datetime) VALUES (now())")
        cursor.execute("SELECT \"Technician\" FROM data_record_view")
        assert cursor.fetchall() == [("P Taylor",)]
        cursor.execute("SAVEPOINT before")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM plot_checks")
    session.rollback()
