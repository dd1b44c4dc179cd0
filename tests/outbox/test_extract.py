"""The extract of a day: its names, what goes with it, and where the audit stood when it was made."""

from __future__ import annotations

import datetime
import hashlib
from pathlib import Path

import pytest

from abq_data_entry import outbox
from abq_data_entry.models.errors import PrivilegeMissing
from abq_data_entry.outbox import OutboxError
from abq_data_entry.outbox.delivery import (
    checksum_file,
    companion,
    companions,
    export_with_head,
    head_in,
    head_of,
    name_to_send_as,
    report_identifier,
    report_of,
)

DATE = datetime.date(2026, 1, 2)
NAME = "abq_data_record_2026-01-02.csv"


class Records:
    """In place of the database: counts how often it was asked, and writes the number."""

    def __init__(self) -> None:
        self.exports = 0

    def export_records(self, path: Path, first_date: datetime.date) -> int:
        self.exports += 1
        path.write_text(f"{first_date} {self.exports}")
        return 7


class Audit:
    """In place of the database: each answer in turn, the last one from then on."""

    def __init__(self, *heads: str) -> None:
        self.heads = list(heads)

    def audit_heads(self, date: datetime.date | None = None) -> str:
        assert date == DATE
        return self.heads.pop(0) if len(self.heads) > 1 else self.heads[0]


def test_the_name_of_an_extract() -> None:
    assert outbox.extract_name(DATE) == NAME


def test_its_name_at_the_destination_may_hold_its_labs(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_text("Date,Lab\n2026-01-02,B\n2026-01-02,A\n2026-01-02,\n2026-01-02\n", encoding="utf-8-sig")
    assert name_to_send_as(path, DATE, "{lab} {date}.csv") == "A-B 2026-01-02.csv"
    assert name_to_send_as(tmp_path / "absent", DATE, "lab {date}.csv") == "lab 2026-01-02.csv"  # it isn't read
    with pytest.raises(OutboxError):
        name_to_send_as(path, DATE, "../{date}.csv")


def test_what_goes_with_it_lies_beside_it() -> None:
    path = Path("folder") / NAME
    assert companion(path) == Path("folder") / f"{NAME}.audit"
    assert report_of(path) == Path("folder") / "abq_data_record_2026-01-02.report.html"
    assert companions(NAME) == (f"{NAME}.sha256", f"{NAME}.audit", "abq_data_record_2026-01-02.report.html")
    assert report_identifier("abc") == "abc-report"


def test_its_digest_is_as_sha256sum_reads_it(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"x" * (1024 * 1024 + 1))
    beside = checksum_file(path, "other.csv")
    assert beside == tmp_path / f"{NAME}.sha256"
    assert beside.read_bytes() == f"{hashlib.sha256(path.read_bytes()).hexdigest()}  other.csv\n".encode()


def test_where_the_audit_stood_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / NAME
    assert head_in(path) == ""
    companion(path).write_text("A 1 abc\n")
    assert head_in(path) == "A 1 abc"


def test_who_may_not_read_the_audit_delivers_without_it() -> None:
    class Closed:
        def audit_heads(self, date: datetime.date | None = None) -> str:
            raise PrivilegeMissing("not you")

    assert head_of(Closed(), DATE) == "" and head_of(Audit("A 1 abc"), DATE) == "A 1 abc"


@pytest.mark.parametrize(
    ("heads", "exports", "head"),
    [
        (("A 1 a",), 1, "A 1 a"),
        (("A 1 a", "A 2 b"), 2, "A 2 b"),  # somebody saved while the records were read
        (("A 1 a", "A 2 b", "A 3 c"), 3, "A 3 c"),
        (("A 1 a", "A 2 b", "A 3 c", "A 4 d"), 3, "A 3 c"),  # somebody always does
        (("Ä ~ 1",), 1, "%C3%84 ~ 1"),  # a header of HTTP takes nothing else
    ],
)
def test_records_and_the_state_of_the_audit_belong_together(
    tmp_path: Path, heads: tuple[str, ...], exports: int, head: str
) -> None:
    records, audit = Records(), Audit(*heads)
    assert export_with_head(records, tmp_path / NAME, DATE, audit.audit_heads) == (7, head)
    assert records.exports == exports and (tmp_path / NAME).read_text() == f"{DATE} {exports}"


def test_without_an_audit_the_records_are_read_once(tmp_path: Path) -> None:
    records = Records()
    assert export_with_head(records, tmp_path / NAME, DATE, None) == (7, "") and records.exports == 1
