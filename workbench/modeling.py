"""Estimators by name, and models on disk: skops, never pickle, the same bytes for the same model.

A notebook builds its model with `make_estimator`, so all feature transformation is inside the
scikit-learn Pipeline and what is served is what was trained. `save_model` and `load_model` keep a
fitted Pipeline in a folder; `save_mlflow_model` writes the folder that the MLflow registry takes.
Files hold no time, memory address or random id: a re-run with equal results writes equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from workbench.errors import ModelError, did_you_mean
from workbench.golden import FILE as GOLDEN_FILE
from workbench.golden import requests
from workbench.model_files import MODEL_FILE, inspect_folder
from workbench.model_schema import TRUSTED_TYPES
from workbench.model_trees import refuse_broken_trees

ALGORITHMS = ("baseline", "logistic", "boosting")

EXAMPLE_ROWS = 5
RARE = 20  # a category with fewer rows shares one column with the other rare ones
EARLIEST = (1980, 1, 1, 0, 0, 0)  # the zip format knows no earlier date
SERVING = ("mlflow", "numpy", "pandas", "scikit-learn", "skops")


def make_estimator(
    algorithm: str,
    features: pd.DataFrame,
    *,
    seed: int = 0,
    by: str | None = None,
    **hyperparameters: Any,
) -> Pipeline:
    """An unfitted Pipeline from a frame like `features` to the probability of a binary label.

    `features` (rows × columns) is only looked at for the types of its columns: numbers and booleans
    are numeric, all else is categorical. The Pipeline ignores columns it was not shown, takes missing
    values, and treats a category it has not seen as unknown.

    - `baseline`: the rate of the label, over all rows or, with `by`, in each category of one column.
    - `logistic`: scaled numbers, one-hot categories, L2-penalised logistic regression.
    - `boosting`: histogram gradient boosting on ordinal-encoded categories, no early stopping (its
      random validation split would leak between rows of the same hour).

    `hyperparameters` are the scikit-learn classifier's own. Raises ModelError for an unknown algorithm,
    column or hyperparameter.
    """
    if algorithm not in ALGORITHMS:
        raise ModelError(f"unknown algorithm '{algorithm}'{did_you_mean(algorithm, ALGORITHMS)}")
    if by is not None and by not in features.columns:
        raise ModelError(f"no column '{by}' to take the rate by{did_you_mean(by, features.columns)}")
    steps: list[tuple[str, Any]]
    if algorithm == "baseline":
        steps = _baseline(by)
    elif algorithm == "logistic":
        steps = _logistic(features, seed)
    else:
        steps = _boosting(features, seed)
    classifier = steps[-1][1]
    known = classifier.get_params()
    for name in hyperparameters:
        if name not in known:
            raise ModelError(
                f"'{algorithm}' has no hyperparameter '{name}'{did_you_mean(name, known)}; "
                f"it is scikit-learn's {type(classifier).__name__}"
            )
    classifier.set_params(**hyperparameters)
    return Pipeline(steps)


def _baseline(by: str | None) -> list[tuple[str, Any]]:
    if by is None:
        return [("classifier", DummyClassifier(strategy="prior"))]
    rates = ColumnTransformer([("by", OneHotEncoder(handle_unknown="ignore"), [by])])
    # One free coefficient a category, hardly penalised: its predictions are the rates themselves.
    return [("features", rates), ("classifier", LogisticRegression(C=1000.0, max_iter=500))]


def _logistic(features: pd.DataFrame, seed: int) -> list[tuple[str, Any]]:
    numeric, categorical = _columns(features)
    scaled = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=RARE)
    transformer = ColumnTransformer([("numeric", scaled, numeric), ("categorical", one_hot, categorical)])
    return [("features", transformer), ("classifier", LogisticRegression(max_iter=500, random_state=seed))]


def _boosting(features: pd.DataFrame, seed: int) -> list[tuple[str, Any]]:
    numeric, categorical = _columns(features)
    # Codes, not scikit-learn's native categories: those put functools.partial in the model file,
    # which could call anything when it is loaded. On the flights the codes score no worse.
    codes = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
    )
    transformer = ColumnTransformer(
        [("numeric", "passthrough", numeric), ("categorical", codes, categorical)]
    )
    classifier = HistGradientBoostingClassifier(early_stopping=False, random_state=seed)
    return [("features", transformer), ("classifier", classifier)]


def _columns(features: pd.DataFrame) -> tuple[list[str], list[str]]:
    """Names of numeric and of categorical columns, in the frame's order."""
    numeric = list(features.select_dtypes(["number", "bool"]).columns)
    return numeric, [name for name in features.columns if name not in numeric]


def save_model(model: Pipeline, folder: str | Path) -> None:
    """Save a fitted Pipeline as `folder`/model.skops; equal models give equal bytes.

    Raises ModelError when the model holds a type that `load_model` would refuse.
    """
    import skops.io

    data = skops.io.dumps(model)
    _refuse_untrusted(skops.io.get_untrusted_types(data=data), "this model cannot be saved")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MODEL_FILE).write_bytes(_canonical(data))


def load_model(folder: str | Path) -> Pipeline:
    """The fitted Pipeline in `folder`, written by `save_model` or `save_mlflow_model`.

    Every file in the folder is looked at first (see model_files). Raises ModelError when there is no readable
    model, or anything that such a folder does not hold: a pickle, a type outside TRUSTED_TYPES, a link.
    """
    return build(inspect_folder(Path(folder), TRUSTED_TYPES).model, f"the model in '{folder}'")


def build(data: bytes, what: str) -> Pipeline:
    """The fitted Pipeline of a skops file that was inspected. Raises ModelError when skops objects to it."""
    import skops.io

    try:
        _refuse_untrusted(skops.io.get_untrusted_types(data=data), f"{what} is refused")
        model: Pipeline = skops.io.loads(data, trusted=list(TRUSTED_TYPES))
    except (zipfile.BadZipFile, LookupError, TypeError, ValueError, AttributeError, ImportError) as error:
        raise ModelError(f"{what} is not a readable skops model ({error}); train it again") from error
    refuse_broken_trees(model, what)
    return model


def save_mlflow_model(model: Pipeline, folder: str | Path, features: pd.DataFrame) -> None:
    """Save a fitted Pipeline as an MLflow model, ready for the registry; `folder` must be new or empty.

    The signature comes from `features` (rows × columns): a column with a missing value there is optional,
    and numbers are declared as float64, because an integer column of a signature takes no missing value.
    The first rows are the input example. As a pyfunc the model returns `predict_proba`: (rows, 2), the
    second column the label's probability. The environment is pinned to the installed versions.
    `golden.json` holds requests and the exact answers to them. Raises ModelError as `save_model` does.
    """
    import mlflow.sklearn
    from mlflow.models import infer_signature

    folder = Path(folder)
    save_model(model, folder)  # refuses first, and leaves the canonical file
    canonical = (folder / MODEL_FILE).read_bytes()
    (folder / MODEL_FILE).unlink()
    numeric, _ = _columns(features)
    features = features.astype(dict.fromkeys(numeric, "float64"))
    example = features.head(EXAMPLE_ROWS)
    requirements = [f"{package}=={version(package)}" for package in SERVING]
    mlflow.sklearn.save_model(
        model,
        folder,
        serialization_format="skops",
        skops_trusted_types=list(TRUSTED_TYPES),
        signature=infer_signature(features, model.predict_proba(example)),
        input_example=example,
        conda_env={
            "name": "serving",
            "channels": ["conda-forge"],
            "dependencies": [f"python={platform.python_version()}", "pip", {"pip": requirements}],
        },
        pyfunc_predict_fn="predict_proba",
    )
    (folder / MODEL_FILE).write_bytes(canonical)
    _fix_identity(folder / "MLmodel", canonical)
    (folder / GOLDEN_FILE).write_text(requests(model, features))


def _fix_identity(file: Path, content: bytes) -> None:
    """Drop what MLmodel says about the moment of saving; the uuid is derived from the model's bytes."""
    spec = yaml.safe_load(file.read_text())
    for key in ("utc_time_created", "model_size_bytes", "run_id"):
        spec.pop(key, None)
    spec["model_uuid"] = hashlib.sha256(content).hexdigest()[:32]
    file.write_text(yaml.safe_dump(spec, sort_keys=True))


def _refuse_untrusted(types: list[str], verdict: str) -> None:
    if unknown := sorted(set(types) - set(TRUSTED_TYPES)):
        raise ModelError(
            f"{verdict}: it contains {', '.join(unknown)}, not in workbench.model_schema.TRUSTED_TYPES; "
            "use estimators of scikit-learn without own functions, or review and add the type there"
        )


def _canonical(data: bytes) -> bytes:
    """The same skops archive with members numbered in order of use, and all dates equal.

    skops names objects and members by memory address, which differs in every process.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as source:
        members = {name: source.read(name) for name in source.namelist()}
    schema = json.loads(members.pop("schema.json"))
    numbers: dict[str, int] = {}
    files: dict[str, str] = {}

    def number(address: object) -> int:
        return numbers.setdefault(str(address), len(numbers) + 1)

    def renumber(node: Any) -> Any:
        if isinstance(node, list):
            return [renumber(child) for child in node]
        if not isinstance(node, dict):
            return node
        renamed = {key: renumber(child) for key, child in node.items() if key != "n_threads"}
        if "n_threads" in node:  # of the machine that fitted, not of the model; not used to predict
            renamed["n_threads"] = node["n_threads"] | {"content": "1", "__id__": number("n_threads")}
        if isinstance(node.get("__id__"), int):
            renamed["__id__"] = number(node["__id__"])
        if node.get("file") in members:
            name = Path(node["file"])
            files[str(name)] = renamed["file"] = f"{number(name.stem)}{name.suffix}"
        return renamed

    schema = renumber(schema)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_member("schema.json"), json.dumps(schema, indent=1))
        for old, new in sorted(files.items(), key=lambda pair: int(Path(pair[1]).stem)):
            archive.writestr(_member(new), members[old])
    return target.getvalue()


def _member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=EARLIEST)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    return info
