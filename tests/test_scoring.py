"""Batch scoring on a real registered model: the same answers as in training, bad rows aside, never half a result."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.scored import (
    LOGISTIC,
    MODEL,
    WITH_CONTRACT,
    WITHOUT_CONTRACT,
    Run,
    numbers_then_words,
    rows,
    scorer,
)
from workbench.errors import BadInput, ContractError, ModelError, WorkbenchError
from workbench.registry import load
from workbench.scoring.parts import PREFIX, read_stamp
from workbench.scoring.plan import MANIFEST
from workbench.scoring.result import Progress
from workbench.settings import Project

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def run(scoring: Project) -> Run:
    return scorer(scoring)


def probabilities(path: str) -> Any:
    return pd.read_parquet(path)["probability"].to_numpy()


def everything_in(folder: str | Path) -> dict[str, bytes]:
    found = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


# The answers


@pytest.mark.parametrize("version", [WITH_CONTRACT, LOGISTIC])
@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz"])
def test_the_answers_are_those_of_the_training_process(
    scoring: Project, run: Run, version: int, suffix: str
) -> None:
    table = rows(10_000)
    table.to_parquet("in.parquet", row_group_size=1_700)
    table.to_csv(f"in{suffix}", index=False) if "csv" in suffix else None
    run(f"in{suffix}", "out.parquet", version=version, rows=3_000)
    estimator = load(scoring, MODEL, version).estimator
    at_once = estimator.predict_proba(table[["x", "k"]])[:, 1]
    assert len(np.unique(at_once)) > 1
    np.testing.assert_allclose(probabilities("out.parquet"), at_once, rtol=0, atol=1e-12)
    if suffix == ".parquet":
        batches = pq.ParquetFile("in.parquet").iter_batches(3_000, columns=["x", "k"])
        alike = [estimator.predict_proba(batch.to_pandas())[:, 1] for batch in batches]
        assert (probabilities("out.parquet") == np.concatenate(alike)).all()


def test_what_the_trained_model_itself_says(scoring: Project, run: Run, tmp_path: Path) -> None:
    """The Pipeline that was fitted in this process, which was never saved, and the version that was registered."""
    from workbench.modeling import make_estimator

    generator = np.random.default_rng(0)
    features = pd.DataFrame({"x": generator.normal(size=80), "k": generator.choice(list("abc"), 80)})
    model = make_estimator("boosting", features, max_iter=3).fit(features, (features["x"] > 0).astype(int))
    table = rows(5_000, hint=1)
    table.to_parquet("in.parquet")
    run("in.parquet", "out.parquet")
    assert (probabilities("out.parquet") == model.predict_proba(table[["x", "k"]])[:, 1]).all()


@pytest.mark.parametrize("algorithm", ["logistic", "boosting"])
def test_missing_text_is_the_same_to_the_model_from_parquet_and_csv_as_in_training(
    scoring: Project, run: Run, algorithm: str
) -> None:
    """The encoders of scikit-learn take None and NaN for two categories: one that is known, one that is not."""
    from tests.registered import deliver, relative
    from workbench.ledger import Ledger
    from workbench.modeling import make_estimator, save_mlflow_model

    generator = np.random.default_rng(0)
    table = rows(3_000)
    table["k"] = generator.choice(np.array(["a", "b", None], dtype=object), 3_000)
    table["late"] = table["k"].isna().astype(int)
    table.to_parquet("in.parquet")
    table.to_csv("in.csv", index=False)
    table.astype({"k": "category"}).to_parquet("coded.parquet")
    features = pd.read_parquet("in.parquet")[["x", "k"]]
    model = make_estimator(algorithm, features, max_iter=100).fit(features, table["late"])
    save_mlflow_model(model, scoring.root / "gaps", features)
    contract = scoring.root / "gaps.yaml"
    contract.write_text(
        "contract: gaps\ncolumns:\n  x: {type: float}\n  k: {type: category, values: [a, b], nullable: true}\n"
    )
    with Ledger.open(scoring) as ledger:
        deliver(scoring, ledger, scoring.root / "gaps", 8, contract=relative(contract, scoring))
    trained = model.predict_proba(features)[:, 1]
    assert trained[table["k"].isna()].min() > 0.9 > 0.1 > trained[table["k"].notna()].max()
    for name in ("in.parquet", "in.csv", "coded.parquet"):
        run(name, f"{name}.out.parquet", version=8)
        np.testing.assert_allclose(probabilities(f"{name}.out.parquet"), trained, rtol=0, atol=1e-12)


def test_a_part_says_what_it_was_made_of(scoring: Project, run: Run) -> None:
    rows(10).to_parquet("in.parquet")
    scored = run("in.parquet", "out.parquet", keep=("id", "late"))
    table = pq.read_table("out.parquet")
    assert table.schema.names == [
        "source", "row", "probability", "model", "version", "model_digest", "id", "late",
    ]  # fmt: skip
    frame = table.to_pandas()
    assert frame["row"].tolist() == list(range(10))
    assert frame["id"].tolist() == rows(10)["id"].tolist()
    assert set(zip(frame["model"], frame["version"], frame["model_digest"], strict=True)) == {
        (MODEL, WITH_CONTRACT, scored.digest)
    }
    said = {key.decode(): value.decode() for key, value in pq.read_schema("out.parquet").metadata.items()}
    assert said[f"{PREFIX}model"] == MODEL
    assert said[f"{PREFIX}version"] == str(WITH_CONTRACT)
    assert said[f"{PREFIX}model_digest"] == scored.digest == load(scoring, MODEL, WITH_CONTRACT).digest
    assert said[f"{PREFIX}contract"] == scored.contract
    assert len(scored.contract) == 64
    assert said[f"{PREFIX}label"] == "1"
    known = read_stamp(Path("out.parquet"))
    assert known
    assert (known[1].read, known[1].scored, known[1].quarantined) == (10, 10, 0)


def test_nothing_of_the_input_is_passed_through_unless_asked_for(run: Run) -> None:
    rows(3).to_parquet("in.parquet")
    run("in.parquet", "out.parquet")
    assert pq.read_schema("out.parquet").names[-1] == "model_digest"
    run("in.parquet", "out.parquet", keep=("*",))
    assert pq.read_schema("out.parquet").names[-4:] == ["id", "x", "k", "late"]


def test_doing_it_again_elsewhere_gives_the_same_bytes(run: Run) -> None:
    rows(5_000, x=[20.0] + [0.5] * 4_999).to_parquet("in.parquet")
    run("in.parquet", "first.parquet", rows=999)
    run("in.parquet", "second.parquet", rows=999)
    assert Path("first.parquet").read_bytes() == Path("second.parquet").read_bytes()
    assert Path("first.quarantine.parquet").read_bytes() == Path("second.quarantine.parquet").read_bytes()


# Bad rows and bad tables


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_rows_that_break_the_contract_are_set_aside_with_the_reason(run: Run, suffix: str) -> None:
    table = rows(1_000)
    table.loc[[3, 500], "x"] = [11.0, np.nan]
    table.loc[[700, 999], "k"] = ["z", None]
    table.loc[4, ["k", "x"]] = ["a", 6.0]
    table.to_parquet("in.parquet") if suffix == ".parquet" else table.to_csv("in.csv", index=False)
    scored = run(f"in{suffix}", "out.parquet", keep=("id",), rows=100)
    assert (scored.counts.read, scored.counts.scored, scored.counts.quarantined) == (1_000, 995, 5)
    aside = pd.read_parquet("out.quarantine.parquet")
    assert aside[["source", "row", "reason"]].to_dict("split")["data"] == [
        [f"in{suffix}", 3, "x is outside -10 to 10"],
        [f"in{suffix}", 4, "no a above five"],
        [f"in{suffix}", 500, "x is missing"],
        [f"in{suffix}", 700, "k is not an allowed value"],
        [f"in{suffix}", 999, "k is missing"],
    ]
    assert aside["id"].tolist() == table["id"][[3, 4, 500, 700, 999]].tolist()
    assert scored.counts.reasons["x is missing"] == 1
    assert pd.read_parquet("out.parquet")["row"].tolist() == [
        n for n in range(1_000) if n not in (3, 4, 500, 700, 999)
    ]


def test_an_unreadable_cell_of_csv_costs_its_row_only(run: Run) -> None:
    lines = [f"{n % 5},b" for n in range(50)]
    lines[7], lines[8], lines[9] = "one,b", "inf,b", "-1e400,b"
    Path("in.csv").write_text("x,k\n" + "\n".join(lines) + "\n")
    scored = run("in.csv", "out.parquet")
    assert pd.read_parquet("out.quarantine.parquet")[["row", "x", "reason"]].to_dict("split")["data"] == [
        [7, "one", "x is not a finite number"],
        [8, "inf", "x is not a finite number"],
        [9, "-1e400", "x is not a finite number"],
    ]
    assert scored.counts.scored == 47


def test_a_piece_of_bad_rows_only_does_not_stop_the_others(run: Run) -> None:
    table = rows(30)
    table.loc[10:19, "x"] = 99.0
    table.to_parquet("in.parquet")
    assert run("in.parquet", "out.parquet", rows=10).counts.scored == 20
    rows(5, x=99.0).to_parquet("bad.parquet")
    scored = run("bad.parquet", "none.parquet")
    assert (scored.counts.scored, scored.counts.quarantined) == (0, 5)
    assert len(pd.read_parquet("none.parquet")) == 0


def test_infinite_values_are_set_aside(run: Run) -> None:
    rows(4, x=[np.inf, 1.0, -np.inf, 2.0]).to_parquet("in.parquet")
    assert run("in.parquet", "out.parquet").counts.reasons == {"x is not a finite number": 2}


def test_a_category_that_training_never_saw_is_scored(scoring: Project, run: Run) -> None:
    rows(20, k="d").to_parquet("in.parquet")
    assert run("in.parquet", "out.parquet", version=LOGISTIC).counts.scored == 20


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (rows(5).drop(columns="x"), "column 'x' is missing"),
        (rows(5).rename(columns={"x": "xx", "k": "kk"}), "column 'k' is missing"),
        (rows(5, x="many"), "column 'x' is object (string), expected float (row 0: 'many'"),
        (rows(5, k=1.5), "column 'k' is float64, expected category"),
        (rows(5, x=[[1], [2], [3], [4], [5]]), "column 'x' is object"),
    ],
)
def test_schema_skew_in_one_file_stops_before_any_is_written(
    run: Run, table: pd.DataFrame, message: str
) -> None:
    Path("in").mkdir()
    rows(5).to_parquet("in/a.parquet")
    table.to_parquet("in/b.parquet")
    with pytest.raises(ContractError) as failure:
        run("in", "out")
    assert message in str(failure.value)
    assert str(Path("in/b.parquet")) in str(failure.value)
    assert not Path("out").exists()


def test_skew_further_down_leaves_nothing_of_that_file(run: Run) -> None:
    numbers_then_words(Path("in.csv"))
    with pytest.raises(
        ContractError, match=r"'in.csv', rows \d+ to \d+: column 'x' is object .*nothing of this"
    ):
        run("in.csv", "out.parquet")
    assert not list(Path().glob("*out*"))
    assert not list(Path().glob(".out*"))


def test_label_and_deny_list_may_be_there_and_change_nothing(run: Run) -> None:
    table = rows(50)
    table.drop(columns=["late", "id"]).to_parquet("plain.parquet")
    table.assign(late="?", day=[{"deep": 1}] * 50, hint=None).to_parquet("full.parquet")
    run("plain.parquet", "a.parquet")
    scored = run("full.parquet", "b.parquet", keep=("hint", "late"))
    assert (probabilities("a.parquet") == probabilities("b.parquet")).all()
    assert [each for each in scored.warnings if "hint" in each or "late" in each or "day" in each] == []


def test_an_extra_column_is_named_unless_it_is_passed_through(run: Run) -> None:
    rows(5).rename(columns={"id": "größe µ"}).to_parquet("in.parquet")
    (warning,) = run("in.parquet", "out.parquet").warnings
    assert warning == "in.parquet: column 'größe µ' is no column of the contract"
    scored = run("in.parquet", "out.parquet", keep=("größe µ",))
    assert scored.warnings == ()
    assert pd.read_parquet("out.parquet")["größe µ"].tolist() == rows(5)["id"].tolist()


def test_a_version_without_contract_is_scored_only_when_told(run: Run) -> None:
    rows(5, x=[99.0, np.nan, 1, np.inf, 2]).to_parquet("in.parquet")
    with pytest.raises(BadInput, match=r"version 6 of 'm' has no contract .*--no-contract"):
        run("in.parquet", "out.parquet", version=WITHOUT_CONTRACT)
    scored = run("in.parquet", "out.parquet", version=WITHOUT_CONTRACT, with_contract=False)
    assert (scored.contract, scored.counts.scored, scored.counts.quarantined) == ("none", 4, 1)
    assert pq.read_schema("out.parquet").metadata[b"workbench.contract"] == b"none"


def test_a_wrong_type_is_skew_without_a_contract_too(run: Run) -> None:
    rows(5, x="many").to_parquet("in.parquet")
    with pytest.raises(ContractError, match="column 'x' is object"):
        run("in.parquet", "out.parquet", version=WITHOUT_CONTRACT, with_contract=False)


# Files


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.parquet", b"", "'a.parquet' cannot be read as a table"),
        ("a.parquet", b"PAR1 and nothing else", "'a.parquet' cannot be read as a table"),
        ("a.csv", b"", "'a.csv' cannot be read as a table: Empty CSV file"),
        ("a.csv", b"x,k\n1,a\n1,a,3\n", "Row #3: Expected 2 columns, got 3"),
        ("a.csv", b"x,k\n1,\xff\xfe\n", "invalid UTF8"),
        ("a.csv.gz", gzip.compress(b"x,k\n1,a\n", mtime=0)[:20], "'a.csv.gz' cannot be read as a table"),
        ("a.txt", b"x,k\n1,a\n", "'a.txt' is no table that is scored; expected .parquet, .csv"),
    ],
)
def test_a_file_that_is_no_table_is_named(run: Run, name: str, content: bytes, message: str) -> None:
    Path(name).write_bytes(content)
    with pytest.raises(BadInput) as failure:
        run(name, "out.parquet")
    assert message in str(failure.value)
    assert not Path("out.parquet").exists()


@pytest.mark.parametrize("name", ["in.parquet", "in.csv"])
def test_a_table_without_rows_gives_scores_without_rows(run: Run, name: str) -> None:
    table = rows(5).iloc[:0]
    table.to_parquet(name) if name.endswith("parquet") else table.to_csv(name, index=False)
    assert run(name, "out.parquet", keep=("id",)).counts.read == 0
    assert pd.read_parquet("out.parquet").columns[-1] == "id"


def test_csv_with_quotes_lines_in_cells_and_names_of_all_kinds(run: Run) -> None:
    Path("in.csv").write_text(
        '\ufeff"näme, mit\nZeile",x,k\n"a ""b""\nc",1,a\n\n"NA",2.50,b\n007,1e0,"c"\n', "utf-8"
    )
    run("in.csv", "out.parquet", keep=("*",))
    frame = pd.read_parquet("out.parquet")
    assert frame["näme, mit\nZeile"].tolist() == ['a "b"\nc', None, "007"]
    assert frame["row"].tolist() == [0, 1, 2]
    assert frame["x"].tolist() == ["1", "2.50", "1e0"]


def test_columns_that_are_there_twice(run: Run) -> None:
    twice = pa.table([pa.array([1.0]), pa.array([2.0]), pa.array(["a"])], names=["x", "x", "k"])
    pq.write_table(twice, "in.parquet")
    Path("in.csv").write_text("x,k,k\n1,a,b\n")
    for name, column in (("in.parquet", "x"), ("in.csv", "k")):
        with pytest.raises(ContractError, match=f"column '{column}' stands 2 times in the data"):
            run(name, "out.parquet")
    with pytest.raises(BadInput, match="has 2 columns 'x': none can be kept"):
        run("in.parquet", "out.parquet", keep=("x",))


def test_columns_that_cannot_be_kept(run: Run) -> None:
    rows(2, row=1).to_parquet("in.parquet")
    with pytest.raises(BadInput, match="has no column 'idd' to keep; did you mean 'id'"):
        run("in.parquet", "out.parquet", keep=("idd",))
    with pytest.raises(BadInput, match="has a column 'row', which the scores have too"):
        run("in.parquet", "out.parquet", keep=("*",))


def test_every_way_of_storing_the_same_values_gives_the_same_answers(run: Run) -> None:
    from decimal import Decimal

    table = rows(100)
    table["x"] = np.arange(100) % 7 - 3.0
    ways = {
        "plain": table,
        "categories": table.astype({"k": "category"}),
        "small": table.astype({"x": "int8"}),
        "nullable": table.astype({"x": "Int64", "k": "string"}),
        "decimals": table.assign(x=[Decimal(int(each)) for each in table["x"]]),
        "indexed": table.set_index("id"),
    }
    Path("in").mkdir()
    for name, way in ways.items():
        way.to_parquet(f"in/{name}.parquet")
    run("in", "out")
    for name in ways:
        assert (probabilities(f"out/{name}.parquet") == probabilities("out/plain.parquet")).all(), name


# Folders, resuming, not writing over


def folder(count: int = 4, size: int = 200) -> None:
    Path("in/deep").mkdir(parents=True)
    for number in range(count):
        rows(size, seed=number).to_parquet(f"in/{'deep/' if number == 1 else ''}{number}.parquet")


def test_a_folder_of_mixed_kinds(run: Run) -> None:
    folder()
    rows(5).to_csv("in/more.csv", index=False)
    Path("in/readme.txt").write_text("x")
    Path("in/.hidden.parquet").write_text("x")
    Path("in/_SUCCESS").write_text("")
    scored = run("in", "out")
    assert scored.ignored == (str(Path("in/readme.txt")),)
    frame = pd.read_parquet("out")
    assert len(frame) == scored.counts.scored == 805
    assert set(frame["source"]) == {
        "0.parquet",
        "deep/1.parquet",
        "2.parquet",
        "3.parquet",
        "more.csv",
    }
    manifest = json.loads(Path("out", MANIFEST).read_text())
    assert manifest["finished"]
    assert manifest["parts"]["more.csv.parquet"]["rows"]["scored"] == 5
    assert (manifest["model"], manifest["version"], manifest["input"]) == (MODEL, str(WITH_CONTRACT), "in")


def test_a_glob_and_several_files(run: Run) -> None:
    folder()
    run("in/**/*.parquet", "out")
    run("in/0.parquet", "in/2.parquet", "two")
    assert sorted(path.name for path in Path("two").iterdir()) == ["0.parquet", "2.parquet", MANIFEST]
    assert Path("out/deep/1.parquet").is_file()
    with pytest.raises(BadInput, match=r"no table in 'in/\*.csv'; expected .parquet"):
        run("in/*.csv", "none")
    with pytest.raises(BadInput, match=r"there is no file or folder 'in/2.parque'; did you mean '2.parquet'"):
        run("in/2.parque", "out.parquet")


def test_bad_rows_of_a_folder_are_beside_its_parts(run: Run) -> None:
    folder(2)
    rows(9, x=[50.0] + [1.0] * 8).to_parquet("in/bad.parquet")
    run("in", "out")
    assert [path.name for path in Path("out/_quarantine").rglob("*.parquet")] == ["bad.parquet"]
    assert len(pd.read_parquet("out")) == 408


KILLED = """
import os, signal, sys
from pathlib import Path
from workbench.scoring.job import score
from workbench.scoring.plan import Asked
from workbench.settings import find_project

def listen(now):
    if now.number == 3 and now.state == "scoring" and now.counts.read >= 100:
        os.kill(os.getpid(), signal.SIGKILL)

score(find_project(), Asked("m", ("in",), Path("out"), 5), listen, rows=50)
"""


def test_killed_in_the_middle_of_a_part_it_goes_on_from_there(run: Run) -> None:
    folder()
    rows(200, seed=2, x=[50.0] + [1.0] * 199).to_parquet("in/2.parquet")
    killed = subprocess.run([sys.executable, "-c", KILLED], check=False)
    assert killed.returncode == -signal.SIGKILL
    done = sorted(Path("out").glob("[!.]*.parquet"))
    assert [path.name for path in done] == ["0.parquet", "2.parquet"]
    assert not json.loads(Path("out", MANIFEST).read_text())["finished"]
    assert list(Path("out").rglob(".*.unfinished"))
    assert len(pd.read_parquet("out")) == 399
    before = {path: path.stat().st_ino for path in done}
    scored = run("in", "out", rows=50)
    assert [job.reason for job, _ in scored.parts] == [None, None, "not done yet", "not done yet"]
    assert {path: path.stat().st_ino for path in done} == before
    assert not list(Path("out").rglob(".*.unfinished"))
    run("in", "whole", rows=50)
    assert everything_in("out") == everything_in("whole")


def test_what_is_done_is_not_done_again(run: Run) -> None:
    folder()
    first, told = run("in", "out"), []
    again = run("in", "out", listen=told.append)
    assert [progress.state for progress in told] == ["cached"] * 4
    assert told[-1].share == 1.0
    assert again.counts == first.counts
    rows(7).to_parquet("in/2.parquet")
    third = run("in", "out")
    assert [job.reason for job, _ in third.parts] == [None, "the input changed", None, None]
    assert third.counts.read == 607
    Path("in/3.parquet").unlink()
    assert run("in", "out").left == (str(Path("out/3.parquet")),)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"version": LOGISTIC}, "the version changed (5 → 7)"),
        ({"with_contract": False}, "the contract changed"),
        ({"keep": ("id",)}, 'what is kept changed ([] → ["id"])'),
    ],
)
def test_a_part_made_of_something_else_is_done_again(run: Run, change: dict[str, Any], reason: str) -> None:
    rows(10).to_parquet("in.parquet")
    run("in.parquet", "out.parquet")
    ((job, _),) = run("in.parquet", "out.parquet", **change).parts
    assert job.reason is not None
    assert job.reason.startswith(reason)
    ((job, _),) = run("in.parquet", "out.parquet", **change).parts
    assert job.reason is None


def test_rows_set_aside_that_are_gone_are_found_again(run: Run) -> None:
    rows(3, x=[50.0, 1.0, 2.0]).to_parquet("in.parquet")
    run("in.parquet", "out.parquet")
    Path("out.quarantine.parquet").unlink()
    ((job, _),) = run("in.parquet", "out.parquet").parts
    assert job.reason == "'out.quarantine.parquet' is gone"
    rows(3).to_parquet("in.parquet")
    run("in.parquet", "out.parquet")
    assert not Path("out.quarantine.parquet").exists()


def test_what_is_not_ours_is_not_written_over(run: Run) -> None:
    folder()
    rows(3).to_parquet("a.parquet")
    rows(3).to_parquet("other.parquet")
    with pytest.raises(BadInput, match=r"'other.parquet' is there already and holds no scores; remove it"):
        run("a.parquet", "other.parquet")
    run("a.parquet", "out.parquet")
    with pytest.raises(
        BadInput, match=r"'out.parquet' is there already and holds the scores of 'm' for 'a.parquet'"
    ):
        run("other.parquet", "out.parquet")
    Path("full").mkdir()
    Path("full/diary.txt").write_text("dear")
    with pytest.raises(BadInput, match="'full' is there already and holds no scores"):
        run("in", "full")


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["a.parquet"], "a.parquet", "would be both input and output"),
        (["a.parquet"], "a.csv", "expected a name like 'a.csv.parquet'"),
        (["in"], "out.parquet", "the scores of several files are a folder"),
        (["in"], "in/out", "is inside the input 'in'"),
        (["in/**/*.parquet"], "in/deep", "would be both input and output"),
        (["a.parquet", "in/a.parquet"], "out", "would both be scored into"),
        (["nowhere"], "out.parquet", "there is no file or folder 'nowhere'"),
    ],
)
def test_places_that_cannot_be(run: Run, inputs: list[str], output: str, message: str) -> None:
    folder()
    rows(1).to_parquet("a.parquet")
    rows(1).to_parquet("in/a.parquet")
    before = everything_in(".")
    with pytest.raises(BadInput) as failure:
        run(*inputs, output)
    assert message in str(failure.value)
    assert everything_in(".") == before


def test_an_input_that_changes_while_it_is_read(run: Run) -> None:
    rows(100).to_parquet("in.parquet")

    def listen(now: Progress) -> None:
        if now.counts.read == 50:
            with Path("in.parquet").open("ab") as stream:
                stream.write(b"more")

    with pytest.raises(BadInput, match=r"'in.parquet' was changed while it was read"):
        run("in.parquet", "out.parquet", listen=listen, rows=50)
    assert not Path("out.parquet").exists()


def test_two_at_once_into_the_same_place(run: Run) -> None:
    rows(10).to_parquet("in.parquet")
    refused: list[str] = []

    def listen(_: Progress) -> None:
        with pytest.raises(WorkbenchError, match=r"another process is scoring into 'out.parquet'") as failure:
            run("in.parquet", "out.parquet")
        refused.append(str(failure.value))

    assert run("in.parquet", "out.parquet", listen=listen).counts.scored == 10
    assert refused


def test_more_faulty_rows_than_the_contract_allows(scoring: Project, run: Run) -> None:
    from tests.registered import deliver, relative
    from tests.scored import CONTRACT
    from workbench.ledger import Ledger

    contract = scoring.root / "strict.yaml"
    contract.write_text(f"{CONTRACT}quarantine: {{max_share: 0.1}}\n")
    with Ledger.open(scoring) as ledger:
        deliver(scoring, ledger, scoring.root / "fitted", 8, contract=relative(contract, scoring))
    rows(20, x=[50.0] * 3 + [1.0] * 17).to_parquet("in.parquet")
    with pytest.raises(
        ContractError, match=r"15.00% of the rows are faulty, expected at most 10.00%: x is outside"
    ):
        run("in.parquet", "out.parquet", version=8)
    assert not list(Path().glob("*out*"))


def test_a_changed_model_file_is_refused(scoring: Project, run: Run) -> None:
    rows(3).to_parquet("in.parquet")
    (load(scoring, MODEL, WITH_CONTRACT).folder / "notes.txt").write_text("number 6")
    with pytest.raises(ModelError, match="its files are not those that were registered"):
        run("in.parquet", "out.parquet")
