"""Tables from files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from workbench.contracts.check import check
from workbench.contracts.contract import contract_of
from workbench.contracts.tables import read_table
from workbench.errors import BadInput

CONTRACT = contract_of({
    "contract": "c",
    "columns": {
        "code": {"type": "text"}, "day": {"type": "date"}, "at": {"type": "datetime", "nullable": True},
        "n": {"type": "int", "nullable": True},
    },
})  # fmt: skip


def test_csv_is_read_by_the_contracts_types(tmp_path: Path) -> None:
    file = tmp_path / "größe.csv"
    file.write_text(
        "code,day,at,n\n007,2013-01-01,2013-01-01T10:00+01:00,1\nNA0,2013-01-02,,\n", encoding="utf-8"
    )
    frame = read_table(file, CONTRACT)
    assert list(frame["code"]) == ["007", "NA0"]
    assert check(frame, CONTRACT).passed
    frame.to_parquet(tmp_path / "t.parquet")
    again = read_table(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(
        again.astype({"at": "datetime64[ns, UTC]"}), frame.astype({"at": "datetime64[ns, UTC]"})
    )


def test_a_time_that_is_none_is_shown_by_the_check(tmp_path: Path) -> None:
    file = tmp_path / "t.csv.gz"
    pd.DataFrame({"code": ["a"], "day": ["2013-02-30"], "at": [None], "n": [1]}).to_csv(file, index=False)
    stops = check(read_table(file, CONTRACT), CONTRACT).stops
    assert stops == ("column 'day' is object (string), expected date (row 0: '2013-02-30')",)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.csv", b"", "cannot be read as a table: No columns to parse from file"),
        ("t.csv", b"\xff\xfe\x00a", "cannot be read as a table"),
        ("t.csv", b'a,b\n1,2,3,4\n"', "cannot be read as a table"),
        ("t.parquet", b"PAR1 no", "cannot be read as a table"),
        ("t.csv.gz", b"\x1f\x8b\x08", "cannot be read as a table"),
        ("t.csv.zip", b"PK no", "cannot be read as a table"),
        ("t.xlsx", b"", "is no table that is read here; expected .parquet, .csv"),
        ("t.pkl", b"", "is no table that is read here"),
    ],
)
def test_a_file_that_is_no_table(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_table(tmp_path / name, CONTRACT)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no file"):
        read_table(tmp_path / "t.csv")
    with pytest.raises(BadInput, match="there is no file"):
        read_table(tmp_path)
