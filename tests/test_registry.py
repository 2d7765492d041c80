"""Versions found, verified and loaded from a real ledger, MLflow and artifacts."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.registered import MODEL, deliver
from workbench import ledger_trail
from workbench.digests import digest_file
from workbench.errors import BadInput, ModelError
from workbench.golden import replay
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect
from workbench.registration import attach, headlines
from workbench.registry import load, locate, place, versions
from workbench.settings import Project, os_user

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore:.*Any type hint is inferred as AnyType"),
]


@pytest.fixture
def ledger(models: Project) -> Iterator[Ledger]:
    with Ledger.open(models) as opened:
        yield opened


def test_a_version_carries_where_it_comes_from(models: Project, ledger: Ledger) -> None:
    newest, *_ = versions(connect(models), MODEL)
    assert (newest.version, newest.run, newest.step, newest.aliases) == (4, "run-4", "evaluate", ())
    tags = newest.tags
    assert tags["workbench.author"] == os_user()
    assert (tags["workbench.git.commit"], tags["workbench.input.test"]) == ("c0ffee4", "test4")
    assert tags["metric.auc"] == "0.74"
    found = locate(models, ledger, MODEL, 4)
    assert found.contract is not None
    assert tags["workbench.attachment.contract.yaml"] == digest_file(found.contract)
    lineage = json.loads(found.attachments["lineage.json"].read_text())
    assert lineage["steps"]["split"]["inputs"] == {"raw": "raw4"}
    assert lineage["parameters"]["months"] == [1, 2, 3, 4]


def test_a_version_is_loaded_and_answers_its_golden_requests(models: Project, ledger: Ledger) -> None:
    loaded = load(models, MODEL, 2, ledger)
    assert (loaded.model, loaded.version) == (MODEL, 2)
    assert [each["name"] for each in loaded.signature["inputs"]] == ["x", "k"]
    assert loaded.contract is not None
    assert "minimum: -2" in loaded.contract.read_text()
    assert loaded.golden is not None
    asked = len(json.loads(loaded.golden.read_text())["inputs"])
    answers = replay(loaded.estimator, loaded.golden.read_text())
    assert (answers.exact, answers.rows, answers.wrong) == (True, asked, 0)
    golden = json.loads(loaded.golden.read_text())
    golden["outputs"][3][1] += 1e-12
    spoiled = replay(loaded.estimator, json.dumps(golden))
    assert (spoiled.exact, spoiled.wrong) == (False, 1)
    assert spoiled.largest_difference == pytest.approx(1e-12, rel=1e-3)


def test_golden_requests_that_cannot_be_asked_are_an_error(models: Project, ledger: Ledger) -> None:
    estimator = load(models, MODEL, 1, ledger).estimator
    for content in ("{}", "[]", "no json", '{"columns": ["x"], "inputs": [[1]], "outputs": [[0, 1]]}'):
        with pytest.raises(ModelError, match="golden requests"):
            replay(estimator, content)


def test_locating_needs_neither_mlflow_nor_scikit_learn(models: Project) -> None:
    code = (
        "import sys; from workbench.settings import find_project; from workbench.ledger import Ledger\n"
        "from workbench.registry import locate\n"
        "project = find_project()\n"
        "with Ledger.open(project) as ledger: print(locate(project, ledger, 'm', 3).version)\n"
        "print([name for name in ('mlflow', 'sklearn', 'pandas', 'skops', 'numpy') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.splitlines() == ["3", "[]"]


def test_a_moved_project_still_finds_its_versions(
    models: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.settings import read_project

    monkeypatch.chdir(tmp_path)
    moved = read_project(models.root.rename(tmp_path / "100% moved"))
    with Ledger.open(moved) as ledger:
        assert locate(moved, ledger, MODEL, "1").folder.is_relative_to(moved.state)


@pytest.mark.parametrize("file", ["model.skops", "MLmodel", "golden.json", "requirements.txt"])
def test_a_changed_file_is_refused(models: Project, ledger: Ledger, file: str) -> None:
    at = place(models, ledger, MODEL, 1)
    assert at.folder is not None
    other = place(models, ledger, MODEL, 2).folder
    changed = at.folder / file
    changed.chmod(0o644)
    changed.write_bytes(changed.read_bytes() + b"\n" if file != "model.skops" else _another_model(other))
    with pytest.raises(
        ModelError, match=r"version 1 of 'm' is refused: its files are not those that were registered"
    ):
        locate(models, ledger, MODEL, 1)


def _another_model(folder: Path | None) -> bytes:
    """A good model that is another one: only its digest can tell."""
    import io
    import zipfile

    assert folder is not None
    target = io.BytesIO()
    with zipfile.ZipFile(folder / "model.skops") as source, zipfile.ZipFile(target, "w") as archive:
        for name in source.namelist():
            archive.writestr(name, source.read(name))
    return target.getvalue()


def test_a_file_more_or_less_is_refused(models: Project, ledger: Ledger) -> None:
    folder = place(models, ledger, MODEL, 1).folder
    assert folder is not None
    (folder / "more.txt").write_text("x")
    with pytest.raises(ModelError, match="not those that were registered"):
        load(models, MODEL, 1, ledger)
    (folder / "more.txt").rename(folder / "model.pkl")
    with pytest.raises(ModelError, match=r"model\.pkl' is refused"):
        load(models, MODEL, 1, ledger)


def test_an_attachment_is_verified_too(models: Project, ledger: Ledger) -> None:
    attach(models, ledger, MODEL, 1, "verdict.json", b'{"passed": true}')
    found = locate(models, ledger, MODEL, 1)
    assert json.loads(found.attachments["verdict.json"].read_text()) == {"passed": True}
    attach(models, ledger, MODEL, 1, "verdict.json", b'{"passed": false}')
    verdict = locate(models, ledger, MODEL, 1).attachments["verdict.json"]
    assert json.loads(verdict.read_text()) == {"passed": False}
    verdict.write_text('{"passed": true}')
    with pytest.raises(ModelError, match=r"its verdict\.json was changed"):
        locate(models, ledger, MODEL, 1)
    verdict.unlink()
    with pytest.raises(ModelError, match=r"its verdict\.json is missing"):
        locate(models, ledger, MODEL, 1)
    with pytest.raises(ModelError, match="not the name of an attachment"):
        attach(models, ledger, MODEL, 1, "../verdict.json", b"{}")


@pytest.mark.parametrize(
    ("evaluation", "numbers"),
    [
        ('{"auc": 0.7, "name": "x", "fine": true}', {"auc": 0.7}),
        ('{"metrics": {"auc": {"value": 0.7, "low": 0.6}}, "rows": 3}', {"rows": 3, "auc": 0.7}),
        ('{"best": "b", "models": {"a": {"auc": 0.6}, "b": {"auc": {"value": 0.7}}}}', {"auc": 0.7}),
        ('{"best": ["b"], "models": {"b": 3}}', {}),
        ("[1]", {}),
        ("half", {}),
    ],
)
def test_the_numbers_of_an_evaluation(tmp_path: Path, evaluation: str, numbers: dict[str, float]) -> None:
    file = tmp_path / "evaluation.json"
    file.write_text(evaluation)
    assert headlines(file) == numbers


def test_unknown_names_get_a_suggestion(models: Project, ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="'m' has no version 9; known: 4, 3, 2, 1"):
        place(models, ledger, MODEL, 9)
    with pytest.raises(BadInput, match="no model 'mm'; did you mean 'm'"):
        place(models, ledger, "mm", 1)
    with pytest.raises(BadInput, match="no model 'n'"):
        place(models, ledger, "n")
    with pytest.raises(BadInput, match="'m' has no champion"):
        place(models, ledger, MODEL)
    with pytest.raises(BadInput, match="no alias 'campion'; did you mean 'champion'"):
        place(models, ledger, MODEL, "campion")


def test_other_aliases_are_those_of_mlflow(models: Project, ledger: Ledger) -> None:
    client = connect(models)
    client.set_registered_model_alias(MODEL, "challenger", "3")
    assert place(models, ledger, MODEL, "challenger").version == 3
    Aliases(models, client).set(MODEL, 2)
    with pytest.raises(BadInput, match="has no champion"):  # nobody promoted it
        place(models, ledger, MODEL)


def test_a_version_that_no_pipeline_delivered_is_not_loaded(models: Project, ledger: Ledger) -> None:
    connect(models).create_model_version(MODEL, str(models.root))
    with pytest.raises(BadInput, match="version 5 of 'm' was not delivered by a pipeline"):
        place(models, ledger, MODEL, 5)


def test_a_version_of_another_ledger_is_found_in_mlflow(models: Project, ledger: Ledger) -> None:
    at = place(models, ledger, MODEL, 2)
    ledger.close()
    (models.state / "ledger.db").unlink()
    with Ledger.open(models) as empty:
        assert place(models, empty, MODEL, 2) == at


def test_files_that_are_gone_are_said_to_be(models: Project, ledger: Ledger) -> None:
    folder = place(models, ledger, MODEL, 1).folder
    assert folder is not None
    folder.rename(folder.with_name("gone"))
    with pytest.raises(ModelError, match="is not where it was registered"):
        locate(models, ledger, MODEL, 1)


def test_delivering_again_adds_what_is_missing(models: Project, ledger: Ledger) -> None:
    delivery = ledger.delivery(MODEL, 1)
    assert delivery is not None
    from workbench.registration import register

    client = connect(models)
    before = ledger_trail.attached(ledger, MODEL, 1)
    assert register(models, client, ledger, delivery, {}, None, {"evidence.json": b"{}"}) == 1
    assert set(ledger_trail.attached(ledger, MODEL, 1)) == {*before, "evidence.json"}
    assert len(versions(client, MODEL)) == 4


def test_a_delivery_whose_files_went_is_registered_without_them(models: Project, ledger: Ledger) -> None:
    deliver(models, ledger, models.root / "fitted", 5, evidence="none.json")
    found = locate(models, ledger, MODEL, 5)
    assert set(found.attachments) == {"contract.yaml", "lineage.json"}


def test_the_answers_are_those_of_the_saved_model(models: Project, ledger: Ledger) -> None:
    loaded = load(models, MODEL, 1)
    frame = pd.DataFrame({"x": [-1.0, 1.0], "k": ["a", "unseen"]})
    assert loaded.estimator.predict_proba(frame)[:, 1].round(3).tolist() == pytest.approx([0.3, 0.7], abs=0.2)
