"""`workbench keys`: printed once, listed without the secret, rotated, revoked."""

from __future__ import annotations

import json
import time

import pytest

from workbench.cli import main
from workbench.serving.http.api_keys import keys_file, read_keys
from workbench.serving.http.keyring import Keyring
from workbench.settings import Project


def test_a_key_is_printed_once_and_listed_without_it(
    project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["keys"]) == 0
    assert "workbench keys add NAME" in capsys.readouterr().out
    assert main(["keys", "add", "ada", "--role", "operator", "--expires", "90d"]) == 0
    token = capsys.readouterr().out.strip()
    key = Keyring(project).find(token)
    assert key is not None
    assert (key.name, key.role) == ("ada", "operator")
    assert key.expires is not None
    assert abs(key.expires - time.time() - 90 * 86400) < 60
    assert main(["keys", "list"]) == 0
    shown = capsys.readouterr().out
    assert "valid" in shown
    assert "ada" in shown
    assert token[12:] not in shown
    assert main(["keys", "list", "--json"]) == 0
    (plain,) = json.loads(capsys.readouterr().out)
    assert (plain["name"], plain["state"]) == ("ada", "valid")
    assert "sha256" not in plain
    assert plain["used"] is not None  # a moment ago, above


def test_a_key_is_rotated_and_revoked(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "add", "ada", "--json"]) == 0
    old = json.loads(capsys.readouterr().out)
    assert main(["keys", "rotate", "ada", "--overlap", "1h"]) == 0
    new = capsys.readouterr().out.strip()
    ring = Keyring(project)
    assert ring.find(old["key"]) is not None
    assert ring.find(new) is not None
    assert main(["keys", "revoke", old["id"]]) == 0
    assert "1 key of 'ada' revoked" in capsys.readouterr().out
    ring = Keyring(project)
    assert ring.find(old["key"]) is None
    assert ring.find(new) is not None
    assert main(["keys", "revoke", "ada"]) == 0
    assert all(key.revoked is not None for key in read_keys(keys_file(project)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rotate", "nobody"], "there is no valid key of 'nobody'"),
        (["revoke", "nobody"], "there is no valid key of 'nobody'"),
        (["add", "a\nb"], "is no name of a key"),
        (["add", "ada", "--expires", "soon"], "is not a duration"),
        (["add", "ada", "--role", "king"], "operator"),
        (["ad"], "did you mean 'add'"),
    ],
)
def test_what_cannot_be_done_is_said(
    project: Project, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert main(["keys", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not keys_file(project).exists()
