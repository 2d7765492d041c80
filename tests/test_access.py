"""Who may come into the app: doors that are refused, requests that are not answered, people and their roles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from workbench.access import Door, actor_of, auth_section, door_of, provider_name, refusal
from workbench.errors import AccessError, BadInput
from workbench.setting_keys import ROLES
from workbench.settings import Project, os_user, read_project

AUTH = {
    "redirect_uri": "https://models.example.org/oauth2callback",
    "cookie_secret": "0123456789abcdef0123456789abcdef",
    "client_id": "workbench",
    "client_secret": "s",
    "server_metadata_url": "https://login.example.org/.well-known/openid-configuration",
}
PROXY = 'hosts = ["models.example.org"]\nuser_header = "X-Forwarded-Email"\ngroups_header = "X-Groups"\nproxies = ["10.0.0.0/30"]\nsession = "1h"\n'
ROLES_HERE = '[roles]\nviewer = ["eve@example.org"]\napprover = ["Ada@Example.org", "group:reviewers"]\n'


def settings(project: Project, app: str = "", roles: str = ROLES_HERE) -> Project:
    project.file.write_text(f'[project]\nname = "demo"\n[app]\n{app}{roles}')
    return read_project(project.root)


def test_on_this_machine_nobody_signs_in_and_anywhere_else_it_does_not_start(project: Project) -> None:
    assert door_of(project, "127.0.0.1", None).kind == "loopback"
    assert door_of(project, "::1", None).kind == "loopback"
    for host in ("0.0.0.0", "::", "10.1.2.3", "models.example.org"):
        with pytest.raises(BadInput, match=f"the app listens on {host}, where others can reach it"):
            door_of(project, host, None)
    with pytest.raises(BadInput, match=r"the app is models\.example\.org, where others can reach it"):
        door_of(settings(project, 'hosts = ["models.example.org"]\n'), "127.0.0.1", None)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"cookie_secret": ""}, "lacks cookie_secret"),
        ({"client_id": ""}, "lacks client_id"),
        ({"cookie_secret": "short"}, "can be guessed; expected 32 characters"),
        ({"redirect_uri": "http://models.example.org/oauth2callback"}, "expected https"),
        ({"one": {"server_metadata_url": "x"}, "two": {"server_metadata_url": "y"}}, "has several providers"),
    ],
)
def test_a_provider_that_is_not_set_up_is_refused_and_no_secret_shown(
    project: Project, change: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput, match=said) as refused:
        door_of(settings(project), "0.0.0.0", {**AUTH, **change})
    assert AUTH["cookie_secret"] not in str(refused.value)
    assert "short" not in str(refused.value)


def test_a_provider_and_a_proxy_are_doors_for_those_who_have_roles(project: Project) -> None:
    named = settings(project)
    door = door_of(named, "0.0.0.0", AUTH)
    assert (door.kind, door.hosts, door.secure, door.session) == (
        "oidc",
        {"models.example.org"},
        True,
        8 * 3600,
    )
    with pytest.raises(BadInput, match="at once"):
        door_of(settings(project, PROXY), "0.0.0.0", AUTH)
    door = door_of(settings(project, PROXY), "0.0.0.0", None)
    assert (door.kind, door.user_header, door.session) == ("proxy", "x-forwarded-email", 3600)
    for open_to_all in (AUTH, None):
        with pytest.raises(BadInput, match="whoever signs in may do everything"):
            door_of(settings(project, "" if open_to_all else PROXY, roles=""), "0.0.0.0", open_to_all)
    with pytest.raises(BadInput, match=r"believed of anybody .* names no proxy"):
        door_of(settings(project, 'user_header = "X-User"\n'), "0.0.0.0", None)
    with pytest.raises(BadInput, match="under which name"):
        door_of(settings(project, 'user_header = "X-User"\nproxies = ["10.0.0.1"]\n'), "0.0.0.0", None)


def test_secrets_are_read_or_said_to_be_unreadable(project: Project) -> None:
    assert auth_section(project) is None
    file = project.root / ".streamlit" / "secrets.toml"
    file.parent.mkdir()
    file.write_text("[other]\nx = 1\n")
    assert auth_section(project) is None
    file.write_text('[auth]\ncookie_secret = "hush"\n[auth.google]\nserver_metadata_url = "x"\n')
    section = auth_section(project)
    assert section is not None
    assert provider_name(section) == "google"
    assert provider_name(AUTH) is None
    file.write_text('[auth\ncookie_secret = "hush"\n')
    with pytest.raises(BadInput, match=r"cannot read .*secrets\.toml") as refused:
        auth_section(project)
    assert "hush" not in str(refused.value)


LOCAL = Door("loopback")
PROVIDER = Door("oidc", frozenset({"models.example.org"}), secure=True)
BEHIND = Door("proxy", frozenset({"models.example.org"}), True, 60.0, "x-user", "", ("10.0.0.0/30",))
SAME = {"host": "127.0.0.1:8501", "origin": "http://127.0.0.1:8501"}


@pytest.mark.parametrize(
    ("door", "headers", "status"),
    [
        (LOCAL, SAME, None),
        (LOCAL, {"host": "localhost:8501"}, None),
        (LOCAL, {**SAME, "origin": "http://127.0.0.1:8888"}, 403),  # a notebook's page in Jupyter
        (LOCAL, {**SAME, "origin": "https://evil.example"}, 403),
        (LOCAL, {**SAME, "origin": "null"}, 403),  # a sandboxed frame
        (LOCAL, {"host": "evil.example:8501", "origin": "http://evil.example:8501"}, 421),  # DNS rebinding
        (LOCAL, {"host": "[::1]:8501"}, None),
        (LOCAL, {"host": "[bad"}, 421),
        (LOCAL, {}, 421),
        (LOCAL, {**SAME, "x-forwarded-for": "1.2.3.4"}, 403),
        (LOCAL, {"host": "127.0.0.1:8501", "sec-fetch-site": "cross-site"}, 403),
        (PROVIDER, {"host": "models.example.org", "origin": "https://models.example.org"}, None),
        (PROVIDER, {"host": "models.example.org", "origin": "https://other.example.org"}, 403),
        (PROVIDER, {"host": "models.example.org", "origin": "http://models.example.org:81"}, 403),
        (PROVIDER, {"host": "10.0.0.7:8501", "origin": "http://10.0.0.7:8501"}, 421),
    ],
)  # fmt: skip
def test_only_its_own_pages_are_answered(door: Door, headers: dict[str, str], status: int | None) -> None:
    for method in ("WEBSOCKET", "POST"):
        found = refusal(door, method=method, peer="127.0.0.1", headers=headers)
        assert (found and found[0]) == status, found


def test_a_proxy_is_believed_by_its_address_only() -> None:
    headers = {"host": "models.example.org", "x-user": "ada@example.org"}
    assert refusal(BEHIND, method="GET", peer="10.0.0.2", headers=headers) is None
    assert refusal(BEHIND, method="GET", peer="::ffff:10.0.0.2", headers=headers) is None
    for stranger in ("10.0.0.4", "127.0.0.1", "", "fe80::1"):
        assert refusal(BEHIND, method="GET", peer=stranger, headers=headers) is not None


def test_looking_asks_no_origin_but_another_site_signs_nobody_out() -> None:
    other = {"host": "models.example.org", "sec-fetch-site": "cross-site"}
    assert refusal(PROVIDER, method="GET", peer="1.1.1.1", headers=other) is None
    assert refusal(PROVIDER, method="GET", peer="1.1.1.1", headers=other, path="/auth/logout") is not None


def test_on_this_machine_it_is_the_user_that_the_system_names(project: Project) -> None:
    actor = actor_of(project, LOCAL, {"email": "eve@example.org"}, 0.0, 1e9)
    assert (actor.name, actor.roles) == (os_user(), frozenset(ROLES))


NOW = 1_000_000.0


def signed_in(**claims: object) -> dict[str, object]:
    return {"is_logged_in": True, "iat": NOW - 60, "sub": "s-1", "email_verified": True, **claims}


@pytest.mark.parametrize(
    ("claims", "name", "highest"),
    [
        ({"email": "ada@example.org"}, "ada@example.org", "approver"),
        ({"email": "ADA@example.ORG"}, "ADA@example.ORG", "approver"),
        ({"email": "eve@example.org"}, "eve@example.org", "viewer"),
        ({"email": "eve@example.org", "groups": ["staff", "reviewers"]}, "eve@example.org", "approver"),
        ({"email": "ada@example.org", "email_verified": False}, "s-1", None),
        ({"email": "ada@example.org", "email_verified": None}, "s-1", None),
        ({"email": "ada@example.org", "email_verified": "true"}, "s-1", None),
        ({"sub": "group:reviewers"}, "group:reviewers", None),
        ({"sub": "x", "groups": "reviewers"}, "x", "approver"),
    ],
)
def test_roles_are_of_verified_addresses_and_groups(
    project: Project, claims: dict[str, Any], name: str, highest: str | None
) -> None:
    actor = actor_of(settings(project), PROVIDER, signed_in(**claims), NOW, NOW)
    assert actor.name == name
    assert actor.roles == frozenset(ROLES[: ROLES.index(highest) + 1] if highest else ())


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"is_logged_in": False}, "sign in first"),
        ({"is_logged_in": "yes"}, "sign in first"),
        ({"iat": NOW - 8 * 3600}, "your session is over"),
        ({"sub": ""}, "nobody is named"),
        ({"iat": None}, "does not say when"),
    ],
)
def test_who_is_not_known_or_was_here_too_long_is_nobody(
    project: Project, claims: dict[str, Any], said: str
) -> None:
    with pytest.raises(AccessError, match=said):
        actor_of(settings(project), PROVIDER, signed_in(**claims), NOW, NOW)


def test_a_proxy_names_the_person_and_their_groups(project: Project, tmp_path: Path) -> None:
    named = settings(project)
    actor = actor_of(
        named, BEHIND, {"user": "x@example.org", "groups": "staff, reviewers"}, NOW, NOW + 8 * 3600 - 1
    )
    assert (actor.name, "approver" in actor.roles) == ("x@example.org", True)
    with pytest.raises(AccessError, match="nobody is named"):
        actor_of(named, BEHIND, {"user": None}, NOW, NOW)
    with pytest.raises(AccessError, match="your session is over"):
        actor_of(named, BEHIND, {"user": "x@example.org"}, NOW, NOW + 8 * 3600)
