"""Clients that already exist, over a real socket: MLflow's, Triton's, curl."""

from __future__ import annotations

import json
import subprocess
import warnings
from typing import Any

import numpy as np
import pytest

from tests.serving.http.direct import DIGEST, flights
from workbench.scoring.model import Scorer


def test_mlflows_scoring_client(address: str, model: Scorer) -> None:
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    frame = flights(40, seed=3)
    assert frame.isna().any().any()
    client = ScoringServerClient(*address.split(":"))
    client.wait_server_ready()
    assert json.loads(client.get_version())["models"]["late"]["version"] == 3
    said = client.invoke(frame)
    assert said.get_predictions("ndarray").tolist() == model.probabilities(frame).tolist()
    assert said.get_predictions()[0].tolist() == model.probabilities(frame).tolist()
    assert said["digest"] == DIGEST
    with pytest.raises(Exception, match=r"Invocation failed \(error code 422.*hour"):
        client.invoke(frame.assign(hour="six"))


def test_mlflows_deployment_client(address: str, model: Scorer) -> None:
    from mlflow.deployments import get_deploy_client

    frame = flights(3)
    inputs = {"dataframe_split": json.loads(frame.to_json(orient="split", double_precision=15))}
    said = get_deploy_client(f"http://{address}").predict(endpoint="late", inputs=inputs)
    assert said["predictions"] == model.probabilities(frame).tolist()


@pytest.fixture
def triton(address: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # gevent's and its own, of what they import
        from tritonclient.http import InferenceServerClient
    client = InferenceServerClient(address)
    yield client
    client.close()


def tensors(frame: Any, *, binary: bool) -> list[Any]:
    """Inputs as a user of tritonclient makes them; texts must not be missing in bytes."""
    from tritonclient.http import InferInput

    found = []
    for name, datatype in (
        ("hour", "INT64"),
        ("seats", "FP64"),
        ("temp", "FP64"),
        ("carrier", "BYTES"),
        ("dest", "BYTES"),
    ):
        values = frame[name].to_numpy()
        tensor = InferInput(name, [len(frame)], datatype)
        values = (
            np.array([str(each).encode() for each in values], dtype=object) if datatype == "BYTES" else values
        )
        tensor.set_data_from_numpy(values, binary_data=binary)
        found.append(tensor)
    return found


@pytest.mark.parametrize("binary", [True, False])
def test_tritons_client(triton: Any, model: Scorer, binary: bool) -> None:
    from tritonclient.http import InferRequestedOutput

    frame = flights(20, seed=5)
    frame = frame[frame["dest"].notna() & frame["temp"].notna()].reset_index(drop=True)
    assert triton.is_server_live()
    assert triton.is_server_ready()
    assert triton.is_model_ready("late")
    assert triton.is_model_ready("late", "3")
    assert not triton.is_model_ready("late", "4")
    assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    metadata = triton.get_model_metadata("late", "3")
    assert [(each["name"], each["datatype"]) for each in metadata["inputs"]] == [
        ("hour", "INT64"), ("seats", "FP64"), ("temp", "FP64"), ("carrier", "BYTES"), ("dest", "BYTES")
    ]  # fmt: skip
    wanted = None if binary else [InferRequestedOutput("probability", binary_data=False)]
    said = triton.infer("late", tensors(frame, binary=binary), outputs=wanted, request_id="mine")
    assert said.as_numpy("probability").tolist() == model.probabilities(frame).tolist()
    assert said.get_response()["id"] == "mine"
    if binary:
        request = said.get_response()["parameters"]["request"]
        assert said.as_numpy("prediction_id").tolist() == [
            f"{request}-{row}".encode() for row in range(len(frame))
        ]


def test_triton_says_why_it_was_refused(triton: Any) -> None:
    from tritonclient.utils import InferenceServerException

    frame = flights(1).assign(hour=99, dest="LAX")
    with pytest.raises(InferenceServerException, match=r"\[422\].*hour is outside 0 to 23") as caught:
        triton.infer("late", tensors(frame, binary=True))
    assert caught.value.status() == "422"
    with pytest.raises(InferenceServerException, match="no model 'lat' serves here; did you mean 'late'"):
        triton.infer("lat", tensors(frame, binary=True))


def curl(*arguments: str) -> Any:
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", "20", *arguments], capture_output=True, check=True
    )
    return json.loads(done.stdout)


def test_curl(address: str, model: Scorer) -> None:
    row = {"hour": 6, "seats": None, "temp": 71.5, "carrier": "ÜX", "dest": "LAX"}
    said = curl(f"http://{address}/predict/late", "--json", json.dumps({"rows": [row]}))
    (prediction,) = said["predictions"]
    form = ("--data", "hour=6&temp=71.5&dest=LAX", "--data-urlencode", "carrier=ÜX")
    assert (
        curl(f"http://{address}/predict/late", *form)["predictions"][0]["probability"]
        == prediction["probability"]
    )
    csv = "hour,seats,temp,carrier,dest\n6,,71.5,ÜX,LAX\n"
    invoked = curl(f"http://{address}/invocations", "-H", "content-type: text/csv", "--data-binary", csv)
    assert invoked["predictions"] == [prediction["probability"]]
