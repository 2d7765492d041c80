"""The same rows in every protocol get the same answers, to the last bit; and what is not of a protocol is refused."""

from __future__ import annotations

import csv
import io
import json
import struct
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.serving.http.calling import Said, call
from tests.serving.http.direct import DIGEST, DirectEngine, flights
from workbench.scoring.model import Scorer
from workbench.serving.http.app import Application
from workbench.serving.http.binary import DTYPES

SLOW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
DATATYPES = {"hour": "INT64", "seats": "FP64", "temp": "FP64", "carrier": "BYTES", "dest": "BYTES"}


def plain(frame: pd.DataFrame) -> list[list[Any]]:
    """Rows as JSON has them: null for what is missing."""
    return [
        [None if pd.isna(cell) else cell for cell in row] for row in frame.astype(object).to_numpy().tolist()
    ]


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in plain(frame)]


def by_column(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return {name: [row[name] for row in records(frame)] for name in frame.columns}


def tensors(frame: pd.DataFrame) -> dict[str, Any]:
    return {
        "inputs": [
            {"name": name, "shape": [len(frame)], "datatype": DATATYPES[name], "data": cells}
            for name, cells in by_column(frame).items()
        ]
    }


def as_csv(frame: pd.DataFrame) -> bytes:
    lines = io.StringIO()
    writer = csv.writer(lines)
    writer.writerow(frame.columns)
    writer.writerows([["" if cell is None else cell for cell in row] for row in plain(frame)])
    return lines.getvalue().encode()


def binary(frame: pd.DataFrame) -> tuple[bytes, int]:
    """Numbers and texts as bytes behind the JSON; columns with missing texts stay in it."""
    inputs, behind = [], []
    for name, cells in by_column(frame).items():
        tensor: dict[str, Any] = {"name": name, "shape": [len(frame), 1], "datatype": DATATYPES[name]}
        if DATATYPES[name] != "BYTES":
            raw = frame[name].to_numpy().astype(DTYPES[DATATYPES[name]]).tobytes()
        elif None not in cells:
            encoded = [cell.encode() for cell in cells]
            raw = b"".join(struct.pack("<I", len(each)) + each for each in encoded)
        else:
            inputs.append({**tensor, "data": cells})
            continue
        behind.append(raw)
        inputs.append({**tensor, "parameters": {"binary_data_size": len(raw)}})
    head = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return b"".join([head, *behind]), len(head)


def in_every_protocol(app: Application, frame: pd.DataFrame) -> dict[str, list[float]]:
    """What is said to the rows, by protocol."""
    whole = {"columns": list(frame.columns), "data": plain(frame), "index": list(range(len(frame)))}
    asked = {
        "split": {"dataframe_split": whole}, "records": {"dataframe_records": records(frame)},
        "instances": {"instances": records(frame)}, "inputs": {"inputs": by_column(frame)},
        "inputs as records": {"inputs": records(frame), "params": {}},
    }  # fmt: skip
    said = {name: ok(call(app, "POST", "/invocations", body))["predictions"] for name, body in asked.items()}
    said["csv"] = ok(call(app, "POST", "/invocations", as_csv(frame), content_type="text/csv"))["predictions"]
    rows = ok(call(app, "POST", "/predict/late", {"rows": records(frame)}))["predictions"]
    said["predict"] = [each["probability"] for each in rows]
    outputs = ok(call(app, "POST", "/v2/models/late/infer", tensors(frame)))["outputs"]
    said["infer"] = outputs[0]["data"]
    body, size = binary(frame)
    answer = call(
        app, "POST", "/v2/models/late/infer", body,
        content_type="application/octet-stream", inference_header_content_length=str(size),
    )  # fmt: skip
    assert answer.status == 200, answer.body
    after = int(answer.headers["inference-header-content-length"])
    said["infer in bytes"] = np.frombuffer(answer.body[after : after + 8 * len(frame)], "<f8").tolist()
    return said


def ok(said: Said) -> Any:
    assert said.status == 200, said.body
    return said.json()


@SLOW
@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_every_protocol_gives_the_models_own_answers(
    app: Application, model: Scorer, rows: int, seed: int
) -> None:
    frame = flights(rows, seed)
    expected = model.probabilities(frame).tolist()
    for protocol, said in in_every_protocol(app, frame).items():
        assert said == expected, protocol


def test_what_arrives_is_what_was_sent_whatever_the_protocol(app: Application, engine: DirectEngine) -> None:
    frame = flights(30, seed=7)
    before = len(engine.asked)
    in_every_protocol(app, frame)
    questions = engine.asked[before:]
    assert len(questions) == 9
    for question in questions:
        assert question.rows == 30
        for name in frame.columns:
            given = question.columns[name]
            if given.dtype == object:
                assert given.tolist() == [None if pd.isna(cell) else cell for cell in frame[name]]
            else:
                assert given.tobytes() == frame[name].to_numpy().astype("f8").tobytes()


def test_every_answer_says_who_gave_it_and_names_each_prediction(app: Application) -> None:
    frame = flights(2)
    predict = call(app, "POST", "/predict/late", {"rows": records(frame)})
    invoked = call(app, "POST", "/invocations", {"dataframe_records": records(frame)})
    infer = call(app, "POST", "/v2/models/late/infer", {**tensors(frame), "id": "mine"})
    for said in (predict, invoked, infer):
        request = said.headers["x-request-id"]
        names = ("x-model", "x-model-version", "x-model-digest", "x-model-kind")
        assert [said.headers[name] for name in names] == ["late", "3", DIGEST, "champion"]
        ids = [f"{request}-0", f"{request}-1"]
        body = said.json()
        if said is infer:
            assert (body["model_name"], body["model_version"], body["id"]) == ("late", "3", "mine")
            assert body["parameters"]["digest"] == DIGEST
            assert body["outputs"][1] == {
                "name": "prediction_id",
                "datatype": "BYTES",
                "shape": [2],
                "data": ids,
            }
        else:
            origin = {"request": request, "model": "late", "version": 3, "digest": DIGEST, "kind": "champion"}
            assert origin.items() <= body.items()
            found = body["ids"] if said is invoked else [each["id"] for each in body["predictions"]]
            assert found == ids


def test_outputs_are_chosen_and_may_be_mixed(app: Application) -> None:
    wanted = [{"name": "prediction_id"}, {"name": "probability", "parameters": {"binary_data": True}}]
    said = call(app, "POST", "/v2/models/late/versions/3/infer", {**tensors(flights(1)), "outputs": wanted})
    size = int(said.headers["inference-header-content-length"])
    head = json.loads(said.body[:size])
    assert [each["name"] for each in head["outputs"]] == ["prediction_id", "probability"]
    assert head["outputs"][1]["parameters"] == {"binary_data_size": 8}
    assert len(said.body) == size + 8


def test_a_form_holds_one_row_and_leaves_out_what_is_missing(app: Application, model: Scorer) -> None:
    form = b"hour=6&seats=&carrier=%C3%9CX&dest=LAX"
    said = ok(call(app, "POST", "/predict/late", form, content_type="application/x-www-form-urlencoded"))
    row = pd.DataFrame(
        {"hour": [6.0], "seats": [np.nan], "temp": [np.nan], "carrier": ["ÜX"], "dest": ["LAX"]}
    )
    assert [each["probability"] for each in said["predictions"]] == model.probabilities(row).tolist()
    wrong = call(
        app, "POST", "/predict/late", b"hour=six", content_type="application/x-www-form-urlencoded"
    ).wrong
    assert wrong == {
        "/hour": "hour is a text; expected a whole number", "/carrier": "column 'carrier' is missing",
    }  # fmt: skip


def test_nan_as_mlflows_client_writes_it_is_a_missing_value_and_infinity_none(app: Application) -> None:
    split = '{"dataframe_split": {"columns": ["hour", "seats", "temp", "carrier", "dest"], "data": [[6, NaN, %s, "AA", "LAX"]]}}'
    said = call(app, "POST", "/invocations", (split % "NaN").encode(), content_type="application/json")
    assert said.status == 200
    for word in ("Infinity", "-Infinity"):
        said = call(app, "POST", "/invocations", (split % word).encode(), content_type="application/json")
        assert (said.status, said.reason) == (400, "not-json")
    strict = call(app, "POST", "/predict/late", b'{"rows": [{"temp": NaN}]}', content_type="application/json")
    assert (strict.status, strict.reason) == (400, "not-json")


@pytest.mark.parametrize(
    ("path", "body", "at"),
    [
        ("/predict/late", {"rows": [{**records(flights(1))[0], "temp": "x"}]}, "/rows/0/temp"),
        ("/invocations", {"dataframe_records": [{**records(flights(1))[0], "temp": "x"}]}, "/dataframe_records/0/temp"),
        ("/invocations", {"instances": [{**records(flights(1))[0], "temp": "x"}]}, "/instances/0/temp"),
        ("/invocations", {"inputs": {**by_column(flights(1)), "temp": ["x"]}}, "/inputs/temp/0"),
        (
            "/invocations",
            {"dataframe_split": {"columns": list(flights(1)), "data": [[6, 1, "x", "AA", "LAX"]]}},
            "/dataframe_split/data/0/2",
        ),
        (
            "/v2/models/late/infer",
            {"inputs": [{**each, "data": ["x"]} if each["name"] == "temp" else each for each in tensors(flights(1))["inputs"]]},
            "/inputs/2/data/0",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_place_in_the_body_as_it_was_sent(
    app: Application, path: str, body: Any, at: str
) -> None:
    said = call(app, "POST", path, body)
    assert (said.status, said.reason, said.wrong) == (
        422,
        "contract",
        {at: "temp is a text; expected a number"},
    )


def test_the_engines_complaints_are_moved_to_their_place_too(app: Application) -> None:
    frame = flights(2).assign(hour=[6, 99], carrier="AA")
    at_cell = {
        "/predict/late": ({"rows": records(frame)}, "/rows/1/hour"),
        "/invocations": ({"inputs": by_column(frame)}, "/inputs/hour/1"),
        "/v2/models/late/infer": (tensors(frame), "/inputs/0/data/1"),
    }
    for path, (body, at) in at_cell.items():
        said = call(app, "POST", path, body)
        assert (said.status, list(said.wrong)) == (422, [at])
    night = frame.assign(hour=[6, 3])
    at_row = {
        "/predict/late": ({"rows": records(night)}, "/rows/1"), "/invocations": ({"inputs": by_column(night)}, ""),
        "/v2/models/late/infer": (tensors(night), ""), "/endpoints/late/invocations": (
            {"dataframe_split": {"columns": list(night), "data": plain(night)}}, "/dataframe_split/data/1"),
    }  # fmt: skip
    for path, (body, at) in at_row.items():
        (wrong,) = call(app, "POST", path, body).wrong.items()
        assert wrong[0] == at
        assert "no night flights of AA" in wrong[1]
        assert wrong[1].startswith("row 1: ") == (not at)


@pytest.mark.parametrize(
    ("body", "at"),
    [
        ({}, ""), ({"dataframe_split": {}, "inputs": {}}, ""), ({"params": {"a": 1}, "inputs": {"a": 1}}, "/params"),
        ({"dataframe_splt": {}}, "/dataframe_splt"), ([], ""), ({"inputs": []}, "/inputs"),
        ({"instances": [[1, 2]]}, "/instances/0"), ({"inputs": {}}, "/inputs"),
        ({"inputs": {"a": [1], "b": [1, 2]}}, "/inputs/a"), ({"dataframe_records": {}}, "/dataframe_records"),
        ({"dataframe_records": [1]}, "/dataframe_records/0"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "/dataframe_split/data/0"),
        ({"dataframe_split": {"columns": ["a", "a"], "data": [[1, 2]]}}, "/dataframe_split/columns"),
        ({"dataframe_split": {"columns": ["a"], "data": []}}, "/dataframe_split/data"),
    ],
)  # fmt: skip
def test_an_invocation_of_another_shape_is_refused(app: Application, body: Any, at: str) -> None:
    said = call(app, "POST", "/invocations", body)
    assert (said.status, said.reason) == (422, "malformed")
    assert at in said.wrong


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"datatype": "FP128"}, "/inputs/0/datatype"), ({"datatype": 3}, "/inputs/0/datatype"),
        ({"shape": [2]}, "/inputs/0/data"), ({"shape": [0]}, "/inputs/0/shape"), ({"shape": []}, "/inputs/0/shape"),
        ({"shape": [1, 3]}, "/inputs/0/shape"), ({"shape": "1"}, "/inputs/0/shape"), ({"shape": [True]}, "/inputs/0/shape"),
        ({"name": 3}, "/inputs/0/name"), ({"data": None}, "/inputs/0/data"), ({"data": [[1, 2]]}, "/inputs/0/data"),
        ({"parameters": {"binary_data_size": 8}}, "/inputs/0/parameters/binary_data_size"),
        ({"parameters": {"binary_data_size": -1}}, "/inputs/0/parameters/binary_data_size"),
        ({"name": "seats"}, "/inputs/1/name"),
    ],
)  # fmt: skip
def test_a_tensor_of_another_shape_is_refused(app: Application, change: dict[str, Any], at: str) -> None:
    body = tensors(flights(1))
    body["inputs"][0] |= change
    said = call(app, "POST", "/v2/models/late/infer", body)
    assert (said.status, said.reason, list(said.wrong)) == (422, "malformed", [at])
    assert isinstance(said.json()["error"], str)


@pytest.mark.parametrize("size", ["-1", "x", "99999999", "1e3", "", "9" * 40])
def test_a_head_of_another_size_is_refused(app: Application, size: str) -> None:
    body, _ = binary(flights(1))
    said = call(app, "POST", "/v2/models/late/infer", body, inference_header_content_length=size)
    assert (said.status, said.reason) == (400, "malformed")


@SLOW
@given(st.binary(max_size=80), st.integers(0, 300))
def test_bytes_behind_the_head_are_never_a_server_error(app: Application, more: bytes, cut: int) -> None:
    body, size = binary(flights(2))
    broken = body[: max(size, len(body) - cut)] + more
    said = call(app, "POST", "/v2/models/late/infer", broken, inference_header_content_length=str(size))
    assert said.status in ((200, 422) if more or cut else (200,))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["rows", "inputs", "columns", "data", "name", "shape", "datatype", "hour", "temp", "params"])
        | st.text(max_size=4),
        inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(SLOW, max_examples=80)
@given(
    json_values,
    st.sampled_from(["rows", "dataframe_split", "dataframe_records", "instances", "inputs", None]),
)
def test_no_json_whatever_is_a_server_error(app: Application, value: Any, key: str | None) -> None:
    body = json.dumps({key: value} if key else value).encode()
    for path in ("/predict/late", "/invocations", "/v2/models/late/infer"):
        said = call(app, "POST", path, body, content_type="application/json")
        assert said.status in (200, 400, 422), (path, said.body)


@settings(SLOW, max_examples=60)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_no_bytes_whatever_are_a_server_error(app: Application, body: bytes) -> None:
    form = "application/x-www-form-urlencoded"
    for path, media in (
        ("/predict/late", form),
        ("/invocations", "text/csv"),
        ("/invocations", "application/json"),
    ):
        said = call(app, "POST", path, body, content_type=media)
        assert said.status in (400, 422), (path, said.body)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "no row below"), (b"hour\n", "no row below"), (b"hour,hour\n1,2\n", "names a column twice"),
        (b"hour,temp\n1\n", "line 2 has 1 values"), (b'hour\n"1\n', "is not CSV"), (b"\xff\n1\n", "is not UTF-8"),
        (b"hour\n" + b"1\n" * 1_001, "rows; expected at most 1,000 in one request"),
    ],
)  # fmt: skip
def test_csv_that_is_none_is_refused(app: Application, body: bytes, said: str) -> None:
    found = call(app, "POST", "/invocations", body, content_type="text/csv; charset=utf-8")
    assert found.status in (400, 422)
    assert said in found.json()["error"]["message"]


@pytest.mark.parametrize(
    "media", ["text/plain", "application/json; charset=latin-1", "", "multipart/form-data"]
)
def test_other_media_types_are_refused(app: Application, media: str) -> None:
    said = call(app, "POST", "/invocations", b"{}", content_type=media)
    assert (said.status, said.reason) == (415, "media-type")


def test_models_and_versions_that_do_not_serve_are_not_found(app: Application) -> None:
    rows = {"rows": records(flights(1))}
    assert call(app, "POST", "/predict/lat", rows).json()["error"]["message"].endswith("did you mean 'late'?")
    for path in ("/predict/late?version=9", "/predict/late?version=x", "/v2/models/late/versions/9/infer"):
        body = tensors(flights(1)) if "v2" in path else rows
        said = call(app, "POST", path, body)
        assert (said.status, said.reason) == (404, "no-such-version"), path
    assert call(app, "POST", "/predict/late?version=3", rows).status == 200
    assert call(app, "GET", "/v2/models/late/versions/9").json()["reason"] == "no-such-version"
