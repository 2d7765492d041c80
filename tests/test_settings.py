"""`workbench.toml`: where it is found, what it may hold, and what is said about the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbench.errors import ProjectError, SpecError
from workbench.setting_keys import ROLES, Serving, parse_duration, parse_size
from workbench.settings import ROOT_VARIABLE, Project, find_project, os_user, read_project


def written(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "workbench.toml").write_text(text)
    return folder


def test_a_name_is_enough_and_everything_is_inside_the_project(tmp_path: Path) -> None:
    project = read_project(written(tmp_path, '[project]\nname = "demo"\n'))
    assert project.name == "demo"
    assert project.workers == os.cpu_count()
    assert project.output_budget == 20_000_000
    assert project.ledger_url == f"sqlite:///{tmp_path}/.workbench/ledger.db"
    assert project.store == tmp_path / ".workbench" / "store"
    assert project.notebooks == tmp_path / "notebooks"
    assert project.reports == tmp_path / "reports"
    assert project.running == tmp_path / ".workbench" / "run"
    assert project.delivered("m", "ab").is_relative_to(project.store)


def test_settings_replace_defaults(tmp_path: Path) -> None:
    project = read_project(
        written(
            tmp_path,
            """
            [project]
            name = "demo"
            [run]
            workers = 3
            output_budget = "1.5 MiB"
            kernel_start_timeout = 90
            [ledger]
            url = "postgresql://host/db"
            [mlflow]
            enabled = false
            """,
        )
    )
    assert (project.workers, project.output_budget, project.kernel_start_timeout) == (3, 1_572_864, 90.0)
    assert project.ledger_url == "postgresql://host/db"
    assert not project.mlflow_enabled


def test_the_project_is_found_from_any_folder_inside(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = project.root / "a" / "b"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert find_project().root == project.root
    assert find_project(deep).root == project.root


def test_the_environment_names_the_project(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(project.root))
    monkeypatch.chdir(tmp_path)
    assert find_project().root == project.root
    assert find_project(written(tmp_path / "other", '[project]\nname = "other"')).name == "other"


def test_the_environment_puts_a_project_into_another_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = '[project]\nname = "demo"\n[ledger]\nurl = "postgresql://elsewhere/ledger"\n[mlflow]\nartifacts = "s3://x"\n'
    own = read_project(written(tmp_path, text))
    monkeypatch.setenv("WORKBENCH_STATE", ".workbench/replay/train/never")
    other = read_project(tmp_path)
    state = own.root / ".workbench/replay/train/never"
    assert (other.state, other.store, other.reports) == (state, state / "store", state / "reports")
    assert other.ledger_url == f"sqlite:///{state / 'ledger.db'}"
    assert other.mlflow_uri == f"sqlite:///{state / 'mlflow.db'}"
    assert other.artifacts_uri == "workbench:/artifacts"
    assert other == own.beside(other.state_folder)
    monkeypatch.setenv("WORKBENCH_STATE", ".workbench")
    assert read_project(tmp_path) == own


@pytest.mark.parametrize("folder", ["../elsewhere", "/tmp/state", "", "a/../../b"])
def test_a_state_outside_of_the_project_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    written(tmp_path, '[project]\nname = "demo"\n')
    monkeypatch.setenv("WORKBENCH_STATE", folder)
    with pytest.raises(ProjectError, match="expected a folder inside of the project"):
        read_project(tmp_path)


def test_a_folder_without_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match=r"no workbench\.toml in '.*' or above it"):
        find_project(tmp_path)


def test_paths_are_absolute_though_the_folder_was_given_relative(project: Project) -> None:
    assert read_project(Path()).root == project.root


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project]\n", "project.name: missing"),
        ('[project]\nname = "a b"\n', ":2: project.name: 'a b' is not a project's name"),
        ("[project]\nname = 3\n", ":2: project.name: 3 is int; expected str"),
        ('project = "x"\n', ":1: project: 'x' is not a section; expected [project]"),
        ("[runs]\n", ":1: unknown section 'runs'; did you mean 'run'?"),
        ("[run]\nworker = 2\n", ":2: run.worker: unknown key; did you mean 'workers'?"),
        ("[run]\nworkers = true\n", ":2: run.workers: True is bool; expected int"),
        ("[run]\nworkers = -1\n", ":2: run.workers: -1 is negative"),
        ('[run]\noutput_budget = "much"\n', "run.output_budget: 'much' is not a size"),
        ("[run]\nkernel_start_timeout = []\n", "run.kernel_start_timeout: '[]' is not a duration"),
        ('[run]\nkernel_start_timeout = "0s"\n', "'0s' is not more than nothing"),
        ("[ledger]\n[mlflow]\nurl = ''\n", ":3: mlflow.url: unknown key"),
        ("[role]\n", ":1: unknown section 'role'; did you mean 'roles'?"),
        ('[roles]\naprover = ["ada"]\n', ":2: roles.aprover: unknown key; did you mean 'approver'?"),
        ('[roles]\nadmin = "ada"\n', ":2: roles.admin: 'ada' is not a list of names; expected such as"),
        ("[roles]\nadmin = [1]\n", "roles.admin: [1] is not a list of names"),
        (
            '[models]\npolicy = "two-persons"\n',
            ":2: models.policy: 'two-persons' is not a policy; did you mean 'two-person'?",
        ),
        ("[models]\npolicy = 2\n", ":2: models.policy: 2 is not a policy; known: auto, manual, two-person"),
        (
            '[models]\n[models.flight-delay]\npolicies = "auto"\n',
            ":3: models.flight-delay.policies: unknown key; did you mean 'policy'?",
        ),
        ("[models.'a b']\npolicy = ''\n", ":2: models.a b.policy: '' is not a policy"),
        ("[run\n", ":1: not valid TOML"),
        ("x = " + "[" * 3000 + "]" * 3000, "nested too deep"),
    ],
)
def test_each_mistake_has_its_message(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_project(written(tmp_path, text))
    assert message in str(caught.value)


def test_a_model_may_have_a_policy_of_its_own(tmp_path: Path) -> None:
    text = '[project]\nname = "demo"\n[models]\npolicy = "auto"\n[models.m]\npolicy = "two-person"\n[models."a.b"]\n'
    project = read_project(written(tmp_path, text))
    assert [project.policy(model) for model in ("m", "n", "a.b")] == ["two-person", "auto", "auto"]
    named_so = read_project(written(tmp_path, '[project]\nname = "demo"\n[models.policy]\npolicy = "auto"\n'))
    assert [named_so.policy(model) for model in ("policy", "m")] == ["auto", "manual"]


def test_roles_include_lower_ones_and_nobody_else_has_any(tmp_path: Path) -> None:
    text = '[project]\nname = "demo"\n[roles]\napprover = ["ada", "grace"]\nadmin = ["grace"]\nviewer = ["eve"]\n'
    project = read_project(written(tmp_path, text))
    assert project.roles_of("ada") == {"viewer", "operator", "approver"}
    assert project.roles_of("grace") == set(ROLES)
    assert project.roles_of("eve") == {"viewer"}
    assert project.roles_of("mallory") == set()


def test_without_roles_whoever_works_here_has_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = read_project(written(tmp_path, '[project]\nname = "demo"\n'))
    monkeypatch.setenv("USER", "somebody else")
    monkeypatch.setenv("LOGNAME", "somebody else")
    assert os_user() != "somebody else"
    assert project.roles_of(os_user()) == set(ROLES)
    nobody = read_project(written(tmp_path, '[project]\nname = "demo"\n[roles]\n'))
    assert nobody.roles_of(os_user()) == set()


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = '[project]\nname = "a"\nnom = 1\n[gc]\nkeep_runs = "all"\n[other]\n'
    with pytest.raises(SpecError) as caught:
        read_project(written(tmp_path, text))
    assert [problem.line for problem in caught.value.problems] == [3, 5, 6]


def test_a_key_is_looked_for_in_its_own_section(tmp_path: Path) -> None:
    text = '[project]\nname = "a"\n[ledger]\nurl = "sqlite://"\n\n[mlflow]\nenabled = "no"\n'
    with pytest.raises(SpecError, match=r":7: mlflow\.enabled"):
        read_project(written(tmp_path, text))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "workbench.toml").write_bytes(b'[project]\nname = "\xff"')
    with pytest.raises(SpecError, match="not UTF-8 text"):
        read_project(tmp_path)


def test_a_project_that_is_not_there_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="cannot read"):
        read_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "size"),
    [("20MB", 20_000_000), ("1.5 GiB", 1_610_612_736), ("7", 7), (7, 7), ("3k", 3000), (" 2 kb ", 2000)],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "MB", "20XB", "-1", "1e3", "inf"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size; expected a number with KB, MB or GB"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1d", 86400), ("1h 30m", 5400), ("250ms", 0.25), (5, 5), ("2.5", 2.5)],
)  # fmt: skip
def test_durations(text: str | int, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "10 minutes", "-5s", "m", "1h30"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration; expected a number with s, m, h or d"):
        parse_duration(text)


def test_serving_has_settings_of_its_own(tmp_path: Path) -> None:
    assert read_project(written(tmp_path / "bare", '[project]\nname = "demo"\n')).serve == Serving()
    text = '[project]\nname = "demo"\n[serve]\nport = 0\nmax_body = "1 MiB"\ntimeout = "500ms"\nhosts = ["m.example"]\n'
    found = read_project(written(tmp_path / "own", text)).serve
    assert found == Serving(port=0, max_body=2**20, timeout=0.5, hosts=("m.example",))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("port = 70000", "70000 is not a port"),
        ("port = -1", "negative"),
        ("max_rows = 0", "0 would refuse every request"),
        ("max_body = 'much'", "is not a size"),
        ("timeout = 0", "not more than nothing"),
        ("hosts = 'example'", "is not a list of names"),
        ("host = ''", "is not an address"),
        ("max_row = 1", "did you mean 'max_rows'"),
    ],
)
def test_wrong_serving_settings_are_named_by_line(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(SpecError, match=said) as caught:
        read_project(written(tmp_path, f'[project]\nname = "demo"\n[serve]\n{line}\n'))
    assert caught.value.problems[0].line == 4


def test_whom_alerts_are_told(tmp_path: Path) -> None:
    urls = '["${SLACK_URL}", "mailto://u:${PASSWORD}@example.org"]'
    project = read_project(written(tmp_path, f'[project]\nname = "demo"\n[notify]\nurls = {urls}\n'))
    assert project.notify == ("${SLACK_URL}", "mailto://u:${PASSWORD}@example.org")
    assert "example.org" not in repr(project)


@pytest.mark.parametrize(("urls", "message"), [
    ('"slack://s3cret"', "is not a list of texts"),
    ('["slack://s3cret", 3]', "is not a list of texts"),
    ('["slack://s3cret", "s3cret"]', "the URL number 2 is none"),
    ('["${S3CRET"]', "the URL number 1 is none"),
    ('["slack://s3cret", "slack://s3cret"]', "stands there twice"),
])  # fmt: skip
def test_what_is_wrong_with_them_shows_no_secret(tmp_path: Path, urls: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        read_project(written(tmp_path, f'[project]\nname = "demo"\n[notify]\nurls = {urls}\n'))
    assert "workbench.toml:4: notify.urls: " in str(caught.value)
    assert message in str(caught.value)
    assert "s3cret" not in str(caught.value).lower()
