"""Estimators take tables as they come; models on disk are the same bytes, and nothing unknown is loaded."""

import os
import subprocess
import sys
import zipfile

import mlflow
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from workbench.errors import ModelError
from workbench.modeling import load_model, make_estimator, save_mlflow_model, save_model

# MLflow's own code, warned about on its first import.
pytestmark = pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType")


@pytest.fixture(scope="module")
def flights():
    """600 flights: lateness grows with the hour and is the habit of one carrier; some planes are unknown."""
    generator = np.random.default_rng(0)
    hour = generator.integers(5, 23, size=600)
    carrier = generator.choice(["UA", "DL", "EV"], size=600)
    seats = np.where(generator.random(600) < 0.1, np.nan, generator.integers(50, 300, size=600))
    chance = 0.05 + 0.03 * (hour - 5) + 0.3 * (carrier == "EV")
    late = (generator.random(600) < chance).astype(int)
    return pd.DataFrame({"hour": hour, "carrier": carrier, "seats": seats}), late


ESTIMATORS = {
    "baseline": {},
    "baseline by hour": {"by": "hour"},
    "logistic": {"C": 0.5},
    "boosting": {"max_iter": 20, "learning_rate": 0.1},
}


@pytest.fixture(params=ESTIMATORS)
def fitted(request, flights):
    features, late = flights
    estimator = make_estimator(request.param.split()[0], features, seed=1, **ESTIMATORS[request.param])
    return estimator.fit(features, late)


def test_the_baseline_is_the_overall_rate(flights):
    features, late = flights

    baseline = make_estimator("baseline", features).fit(features, late)

    assert baseline.predict_proba(features)[:, 1] == pytest.approx(np.full(600, late.mean()))


def test_the_baseline_by_a_column_is_the_rate_in_each_of_its_values(flights):
    features, late = flights

    baseline = make_estimator("baseline", features, by="carrier").fit(features, late)

    predicted = baseline.predict_proba(features)[:, 1]
    for carrier in ("UA", "DL", "EV"):
        flown = features["carrier"] == carrier
        assert predicted[flown] == pytest.approx(np.full(flown.sum(), late[flown].mean()), abs=0.001)


@pytest.mark.parametrize("algorithm", ["logistic", "boosting"])
def test_a_model_learns_from_numbers_and_categories(flights, algorithm):
    features, late = flights

    model = make_estimator(algorithm, features).fit(features, late)

    morning = pd.DataFrame({"hour": [6], "carrier": ["UA"], "seats": [150.0]})
    evening = pd.DataFrame({"hour": [21], "carrier": ["EV"], "seats": [150.0]})
    assert model.predict_proba(morning)[0, 1] < 0.2 < 0.5 < model.predict_proba(evening)[0, 1]


def test_new_categories_missing_values_and_other_columns_are_taken(fitted):
    odd = pd.DataFrame(
        {
            "noise": [1, 2, 3],
            "carrier": ["XX", None, np.nan],
            "seats": [np.nan, 100.0, 600.0],
            "hour": [6.0, 30.0, 8.0],
        }
    )

    scores = fitted.predict_proba(odd)[:, 1]

    assert np.isfinite(scores).all()
    assert ((scores > 0) & (scores < 1)).all()


def test_a_saved_model_scores_the_same(fitted, flights, tmp_path):
    features, _ = flights

    save_model(fitted, tmp_path / "model")

    assert (load_model(tmp_path / "model").predict_proba(features) == fitted.predict_proba(features)).all()


FIT_AND_SAVE = """
import numpy as np, pandas as pd
from workbench.modeling import make_estimator, save_model
generator = np.random.default_rng(0)
features = pd.DataFrame({"x": generator.normal(size=500), "k": generator.choice(list("abc"), 500)})
labels = (features["x"] + (features["k"] == "a") > 0).astype(int)
for algorithm, more in {"logistic": {}, "boosting": {"max_iter": 5}}.items():
    save_model(make_estimator(algorithm, features, **more).fit(features, labels), f"{folder}/{algorithm}")
"""


def test_another_process_with_another_number_of_threads_writes_the_same_bytes(tmp_path):
    elsewhere = os.environ | {"PYTHONHASHSEED": "5", "OMP_NUM_THREADS": "1"}
    code = f"folder = {str(tmp_path / 'there')!r}\n{FIT_AND_SAVE}"
    subprocess.run([sys.executable, "-c", code], check=True, env=elsewhere)

    with threadpool_limits(2):
        exec(FIT_AND_SAVE, {"folder": tmp_path / "here"})

    for algorithm in ("logistic", "boosting"):
        here, there = (tmp_path / place / algorithm / "model.skops" for place in ("here", "there"))
        assert here.read_bytes() == there.read_bytes()


def test_an_mlflow_model_is_the_same_folder_each_time_and_loads(flights, tmp_path):
    features, late = flights
    model = make_estimator("boosting", features, max_iter=5).fit(features, late)

    for name in ("one", "two"):
        save_mlflow_model(model, tmp_path / name, features)

    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert {"MLmodel", "model.skops", "requirements.txt", "input_example.json"} <= set(files)
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()
    served = mlflow.pyfunc.load_model(str(tmp_path / "one")).predict(features.astype({"hour": "float64"}))
    assert (served == model.predict_proba(features)).all()
    assert (load_model(tmp_path / "one").predict_proba(features) == served).all()


def test_the_signature_says_which_columns_may_be_missing(flights, tmp_path):
    features, late = flights
    save_mlflow_model(make_estimator("logistic", features).fit(features, late), tmp_path / "m", features)

    columns = mlflow.models.get_model_info(str(tmp_path / "m")).signature.inputs

    assert {each.name: (each.type.name, each.required) for each in columns} == {
        "hour": ("double", True),
        "carrier": ("string", True),
        "seats": ("double", False),
    }


@pytest.mark.parametrize(
    ("algorithm", "settings", "message"),
    [
        ("bosting", {}, "unknown algorithm 'bosting'; did you mean 'boosting'?"),
        ("boosting", {"max_iters": 3}, "no hyperparameter 'max_iters'; did you mean 'max_iter'?"),
        ("baseline", {"by": "hours"}, "no column 'hours' to take the rate by; did you mean 'hour'?"),
    ],
)
def test_unknown_names_get_a_suggestion(flights, algorithm, settings, message):
    with pytest.raises(ModelError) as failure:
        make_estimator(algorithm, flights[0], **settings)

    assert message in str(failure.value)


def test_a_model_with_a_function_of_its_own_is_not_saved(tmp_path):
    model = make_pipeline(FunctionTransformer(np.linalg.norm), LogisticRegression())

    with pytest.raises(ModelError, match=r"cannot be saved.*numpy\.linalg"):
        save_model(model, tmp_path / "model")

    assert not (tmp_path / "model").exists()


def test_a_file_with_an_unknown_type_is_not_loaded(tmp_path):
    skops.io.dump(make_pipeline(FunctionTransformer(np.linalg.norm)), tmp_path / "model.skops")

    with pytest.raises(ModelError, match="refused"):
        load_model(tmp_path)


def test_a_missing_or_broken_model_file_is_said_so(tmp_path):
    with pytest.raises(ModelError, match="no model in"):
        load_model(tmp_path)

    (tmp_path / "model.skops").write_bytes(b"half of a download")
    with pytest.raises(ModelError, match="not a readable skops model"):
        load_model(tmp_path)

    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("something else", "")
    with pytest.raises(ModelError, match="not a readable skops model"):
        load_model(tmp_path)
