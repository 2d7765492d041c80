"""Who may call: keys, names of the host, pages of other sites."""

from __future__ import annotations

import asyncio
import io
import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tests.serving.http.calling import Said, call
from tests.serving.http.direct import DirectEngine
from workbench.errors import BadInput
from workbench.scoring.model import Scorer
from workbench.serving.http import keyring
from workbench.serving.http.api_keys import (
    add_key,
    keys_file,
    last_used,
    read_keys,
    refuse_open_door,
    revoke_key,
    rotate_key,
)
from workbench.serving.http.app import Application
from workbench.serving.http.request_log import RequestLog
from workbench.setting_keys import Serving
from workbench.settings import Project


@pytest.fixture
def served(project: Project, model: Scorer, monkeypatch: pytest.MonkeyPatch) -> Application:
    """A server on loopback that looks at its keys at every request."""
    monkeypatch.setattr(keyring, "LOOK_EVERY", 0.0)
    return application(project, model)


def application(project: Project, model: Scorer, **serve: Any) -> Application:
    engine = DirectEngine({"late": model})
    asyncio.run(engine.start())
    with_settings = replace(project, serve=replace(project.serve, **serve))
    return Application(with_settings, engine, log=RequestLog(io.BytesIO()))


def asked(app: Application, path: str = "/version", method: str = "GET", **headers: str) -> Said:
    return call(app, method, path, **headers)


def test_without_keys_whoever_is_on_this_machine_may_call(served: Application) -> None:
    assert asked(served).status == 200
    assert asked(served, "/metrics").status == 200


@pytest.mark.parametrize(
    "host", ["127.0.0.1:8000", "localhost", "LOCALHOST:1", "[::1]:8000", "[::1]", "127.9.9.9"]
)
def test_names_of_this_machine_are_its_own(served: Application, host: str) -> None:
    assert asked(served, host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "::1", "localhost:x:1"]
)
def test_a_page_that_had_its_name_point_here_is_refused(served: Application, host: str) -> None:
    said = asked(served, "/predict/late", "POST", host=host)
    assert (said.status, said.reason) == (403, "host")


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"}, {"origin": "null"}, {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"}, {"origin": "http://127.0.0.1:9999"}, {"origin": "http://["},
    ],
)  # fmt: skip
def test_pages_of_other_sites_may_not_post(served: Application, headers: dict[str, str]) -> None:
    said = asked(served, "/predict/late", "POST", **headers)
    assert (said.status, said.reason) == (403, "cross-origin")


def test_the_servers_own_page_may_post(served: Application) -> None:
    said = asked(
        served, "/predict/late", "POST", origin="http://127.0.0.1:8000", sec_fetch_site="same-origin"
    )
    assert said.status == 415


def test_as_soon_as_there_is_a_key_one_is_needed(served: Application, project: Project) -> None:
    assert asked(served).status == 200
    _, token = add_key(project, "ada", "caller")
    refused = asked(served)
    assert (refused.status, refused.reason, refused.headers["www-authenticate"]) == (401, "no-key", "Bearer")
    assert asked(served, authorization=f"Bearer {token}").status == 200
    assert asked(served, authorization=f"bearer {token}").status == 200
    assert asked(served, x_api_key=token).status == 200
    for wrong in (token[:-1], token + "x", "wb_00000000_" + "x" * 43, "x", "", "ÿ", token.upper()):
        assert asked(served, x_api_key=wrong).status == 401
    for probe in ("/ping", "/health", "/v2/health/live", "/v2/health/ready", "/docs", "/docs/start.js"):
        assert asked(served, probe).status == 200, probe
    assert asked(served, "/openapi.json").status == 401


def test_metrics_outcomes_and_runs_are_for_operators(served: Application, project: Project) -> None:
    _, caller = add_key(project, "ada", "caller")
    _, operator = add_key(project, "grace", "operator")
    for path, method in (("/metrics", "GET"), ("/outcomes", "POST"), ("/runs", "POST")):
        refused = asked(served, path, method, x_api_key=caller)
        assert (refused.status, refused.reason) == (403, "role")
        assert asked(served, path, method, x_api_key=operator).status != 403


def test_a_key_is_kept_as_its_hash_in_a_file_of_its_own(project: Project) -> None:
    key, token = add_key(project, "ada", "caller")
    content = keys_file(project).read_text()
    assert token not in content
    assert token.split("_", 2)[2] not in content
    assert len(token.split("_", 2)[2]) == 43  # 256 bits
    assert keys_file(project).stat().st_mode & 0o777 == 0o600
    assert read_keys(keys_file(project)) == (key,)
    with pytest.raises(BadInput, match="has a key already"):
        add_key(project, "ada", "operator")


def test_rotation_has_an_overlap_and_revocation_none(served: Application, project: Project) -> None:
    first, old = add_key(project, "ada", "operator")
    second, new = rotate_key(project, "ada", overlap=3600)
    assert second.role == "operator"
    assert [asked(served, x_api_key=each).status for each in (old, new)] == [200, 200]
    kept = {key.id: key for key in read_keys(keys_file(project))}
    assert kept[first.id].expires is not None
    assert 3500 < kept[first.id].expires - time.time() <= 3600
    _, newest = rotate_key(project, "ada", overlap=0)
    assert [asked(served, x_api_key=each).status for each in (old, new, newest)] == [401, 401, 200]
    revoke_key(project, "ada")
    assert asked(served, x_api_key=newest).status == 401
    with pytest.raises(BadInput, match="no valid key of 'ada'"):
        rotate_key(project, "ada", overlap=0)


def test_when_the_last_key_ran_out_the_door_stays_shut(served: Application, project: Project) -> None:
    _, token = add_key(project, "ada", "caller", expires=time.time() - 1)
    assert asked(served, x_api_key=token).status == 401
    assert asked(served).status == 401


@pytest.mark.parametrize("harm", ["gone", "broken", "open to others", "half"])
def test_a_file_that_cannot_be_read_changes_nothing(served: Application, project: Project, harm: str) -> None:
    _, token = add_key(project, "ada", "caller")
    assert asked(served, x_api_key=token).status == 200
    file = keys_file(project)
    content = file.read_text()
    if harm == "gone":
        file.unlink()
    elif harm == "broken":
        file.write_text("[")
    elif harm == "half":
        file.write_text(json.dumps({"keys": [{"id": "x"}]}))
    else:
        file.write_text(content.replace("ada", "eve"))
        file.chmod(0o644)
    assert asked(served, x_api_key=token).status == 200
    assert asked(served).status == 401
    file.write_text(content)
    file.chmod(0o600)
    revoke_key(project, "ada")
    assert asked(served, x_api_key=token).status == 401


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"keys": 3}', '{"keys": [{"id": 1}]}', "[" * 100_000])
def test_a_server_does_not_start_with_keys_that_it_cannot_read(
    project: Project, model: Scorer, content: str
) -> None:
    file = keys_file(project)
    file.parent.mkdir(exist_ok=True)
    file.write_text(content)
    file.chmod(0o600)
    with pytest.raises(BadInput, match=r"api-keys\.json"):
        application(project, model)


def test_keys_that_others_can_read_are_refused(project: Project) -> None:
    add_key(project, "ada", "caller")
    keys_file(project).chmod(0o640)
    with pytest.raises(BadInput, match="chmod 600"):
        read_keys(keys_file(project))


def test_it_is_known_when_a_key_was_used(served: Application, project: Project) -> None:
    key, token = add_key(project, "ada", "caller")
    assert last_used(project, key) is None
    before = time.time()
    asked(served, x_api_key=token)
    used = last_used(project, key)
    assert used is not None
    assert used >= before - 1


@pytest.mark.parametrize(
    "serving",
    [Serving(host="0.0.0.0"), Serving(host="::"), Serving(host="192.0.2.1"), Serving(hosts=("m.example",))],
)
def test_a_server_that_others_reach_does_not_start_without_a_valid_key(
    project: Project, serving: Serving
) -> None:
    with pytest.raises(BadInput, match="workbench keys add"):
        refuse_open_door(project, serving)
    add_key(project, "ada", "caller", expires=time.time() - 1)
    with pytest.raises(BadInput, match="no API key"):
        refuse_open_door(project, serving)
    add_key(project, "ada", "caller")
    refuse_open_door(project, serving)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_on_loopback_it_starts_without(project: Project, host: str) -> None:
    refuse_open_door(project, Serving(host=host))


def test_beyond_loopback_the_key_is_the_door_and_a_proxys_name_is_known(
    project: Project, model: Scorer
) -> None:
    _, token = add_key(project, "ada", "caller")
    everywhere = application(project, model, host="0.0.0.0")
    assert asked(everywhere, host="whatever.example").status == 401
    assert asked(everywhere, host="whatever.example", x_api_key=token).status == 200
    proxied = application(project, model, hosts=("m.example",))
    assert asked(proxied, host="M.example:443", x_api_key=token).status == 200
    assert asked(proxied, host="evil.example", x_api_key=token).status == 403


def test_who_asked_is_on_record(project: Project, model: Scorer) -> None:
    _, token = add_key(project, "ada", "caller")
    engine = DirectEngine({"late": model})
    asyncio.run(engine.start())
    app = Application(project, engine, log=RequestLog(io.BytesIO()))
    row = {"hour": 6, "seats": None, "temp": None, "carrier": "AA", "dest": None}
    assert call(app, "POST", "/predict/late", {"rows": [row]}, x_api_key=token, x_sticky="me").status == 200
    assert (engine.asked[0].caller, engine.asked[0].sticky) == ("ada", "me")
