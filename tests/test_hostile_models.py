"""Model files made to do harm: refused for the right reason, before anything in them is loaded."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.hostile_models import HOSTILE, Hostile, Payload, pickled, read, spoiled, write
from workbench.errors import ModelError
from workbench.model_files import inspect_folder, is_pickle
from workbench.modeling import TRUSTED_TYPES, load_model, make_estimator, save_mlflow_model

pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each kind of node that we save."""
    folder = tmp_path_factory.mktemp("models") / "good"
    generator = np.random.default_rng(0)
    features = pd.DataFrame({"x": generator.normal(size=80), "k": generator.choice(list("abc"), 80)})
    label = (features["x"] > 0).astype(int)
    model = make_estimator("boosting", features, max_iter=3).fit(features, label)
    save_mlflow_model(model, folder, features)
    return folder


def test_the_model_that_all_of_them_come_from_is_good(good: Path) -> None:
    inspected = inspect_folder(good, TRUSTED_TYPES)
    assert inspected.model == (good / "model.skops").read_bytes()
    assert load_model(good).predict_proba(pd.DataFrame({"x": [0.1], "k": ["a"]})).shape == (1, 2)


@pytest.mark.parametrize("hostile", HOSTILE, ids=lambda each: each.name)
def test_it_is_refused_before_anything_is_loaded(
    good: Path, tmp_path: Path, hostile: Hostile, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = tmp_path / "executed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of zipfile, while the archive is spoiled
        folder = spoiled(tmp_path / "model", good, hostile, trace)
    import skops.io

    def never(*_: object, **__: object) -> None:
        raise AssertionError("it was handed on to be loaded")

    monkeypatch.setattr(skops.io, "loads", never)
    monkeypatch.setattr(skops.io, "get_untrusted_types", never)
    with pytest.raises(ModelError) as refusal:
        load_model(folder)
    assert re.search(hostile.reason, str(refusal.value)) or hostile.reason in str(refusal.value)
    assert str(tmp_path) in str(refusal.value)
    assert not trace.exists()


def test_the_payload_of_the_corpus_would_be_seen(tmp_path: Path) -> None:
    trace = tmp_path / "executed"
    code = f"import pickle; pickle.loads({pickled(trace)!r})"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert trace.exists()


def test_skops_itself_stays_the_second_line(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import workbench.modeling

    monkeypatch.setattr(workbench.modeling, "TRUSTED_TYPES", ("numpy.dtype",))
    data = inspect_folder(good, TRUSTED_TYPES).model
    with pytest.raises(ModelError, match="TreePredictor, not in"):
        workbench.modeling.build(data, "this model")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("left", 1_000_000, "leads out of it, or back"),
        ("right", 0, "leads out of it, or back"),
        ("feature_idx", 99, "asks for a feature beyond the 2 there are"),
        ("feature_idx", -1, "asks for a feature beyond the 2 there are"),
        ("is_categorical", 1, "asks for categories that it does not hold"),
    ],
)
def test_a_tree_that_would_crash_the_process_is_refused(
    good: Path, tmp_path: Path, field: str, value: int, reason: str
) -> None:
    def bend(folder: Path, trace: Path) -> None:
        schema, members = read(folder)
        name = next(name for name, data in members.items() if b"'is_leaf'" in data)
        nodes = np.load(io.BytesIO(members[name]))
        nodes[field][0] = value
        target = io.BytesIO()
        np.save(target, nodes)
        members[name] = target.getvalue()
        write(folder, schema, members)

    folder = spoiled(tmp_path / "model", good, Hostile("", reason, bend), tmp_path)
    with pytest.raises(ModelError, match=reason):
        load_model(folder)


def test_looking_at_a_model_imports_nothing_heavy(good: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from workbench.model_files import inspect_folder\n"
        "from workbench.model_schema import TRUSTED_TYPES\n"
        f"inspect_folder(Path({str(good)!r}), TRUSTED_TYPES)\n"
        "print([name for name in ('numpy', 'sklearn', 'skops', 'mlflow', 'pandas', 'pickle') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(eval(out.stdout)) <= {"pickle"}  # pickletools imports it; nothing calls it


@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_is_known_whatever_its_protocol(protocol: int, tmp_path: Path) -> None:
    assert is_pickle(pickled(tmp_path, protocol))


@pytest.mark.parametrize(
    "data",
    [b"", b".", b"carrier,origin\nUA,EWR\n", b"click\nrich\nRequests\n", b'{"a": 1}', b"i\nam\ntext.", b"PK\x03\x04", b"K\x01."],
)  # fmt: skip
def test_what_is_no_pickle_is_not_taken_for_one(data: bytes) -> None:
    assert not is_pickle(data)
    assert Payload(Path("x")).__reduce__()
