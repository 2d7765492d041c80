"""Who may come into the app: by which door, as whom, with which roles. Values in, decisions out.

door_of         loopback, a provider (OpenID Connect) or a reverse proxy; anything else is refused
refusal         may this request be answered at all: its host, its origin, who sends it
actor_of        who that is, and what they may do; a session that is over is nobody's
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from workbench.errors import AccessError, BadInput
from workbench.promotion_policy import Actor
from workbench.serving.http.api_keys import is_loopback
from workbench.settings import Project, os_user

SECRETS = ".streamlit/secrets.toml"
GROUPS = "groups"
"""The claim of an ID token that names the person's groups."""

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
SHORTEST_SECRET = 32
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers by which a proxy says that it is one."""

_AUTH_KEYS = ("redirect_uri", "cookie_secret")
_CLIENT_KEYS = ("client_id", "client_secret", "server_metadata_url")


@dataclass(frozen=True)
class Door:
    """How people come in."""

    kind: Literal["loopback", "oidc", "proxy"]
    hosts: frozenset[str] = LOCAL_NAMES
    """Names under which the app is asked for: a site that has its own name lead here is not answered."""
    secure: bool = False
    """Whether browsers come by https, so that cookies can be kept to it."""
    session: float = 8 * 3600.0
    """Seconds after which somebody has to sign in anew."""
    user_header: str = ""
    groups_header: str = ""
    proxies: tuple[str, ...] = ()
    """Addresses and networks that the headers are taken from."""


def door_of(project: Project, host: str, auth: Mapping[str, Any] | None) -> Door:
    """How people come into an app that listens on `host`; `auth` is the section [auth] of the secrets.

    Raises BadInput where others could come in unknown, and for settings that contradict one another.
    """
    settings = project.app
    if settings.user_header and auth is not None:
        raise BadInput(
            f"people cannot be known by app.user_header and by [auth] at once; take one out: '{project.file}', '{SECRETS}'"
        )
    if settings.user_header or auth is not None:
        _refuse_everybody(project)
    if auth is not None:
        return _provider(project, auth)
    if settings.user_header:
        if not settings.proxies:
            raise BadInput(
                f"app.user_header is believed of anybody who sends it while app.proxies names no proxy in '{project.file}'; "
                'expected its addresses, such as ["10.0.0.5"]'
            )
        if not settings.hosts:
            raise BadInput(
                f"app.hosts in '{project.file}' does not say under which name people reach the proxy; "
                'expected such as ["models.example.org"]'
            )
        secure = not all(map(is_loopback, settings.hosts))
        return Door(
            "proxy", frozenset(settings.hosts), secure, settings.session,
            settings.user_header.lower(), settings.groups_header.lower(), settings.proxies,
        )  # fmt: skip
    if settings.hosts or not is_loopback(host):
        reached = f"is {', '.join(settings.hosts)}" if settings.hosts else f"listens on {host}"
        raise BadInput(
            f"the app {reached}, where others can reach it, and nobody has to sign in: set up a provider in '{SECRETS}' "
            f"([auth]) or a reverse proxy (app.user_header, app.proxies in '{project.file}'); see docs/app.md"
        )
    return Door("loopback", LOCAL_NAMES | {host.strip("[]")}, False, settings.session)


def auth_section(project: Project) -> Mapping[str, Any] | None:
    """[auth] of the project's secrets; None where there is none. Raises BadInput when they cannot be read."""
    file = project.root / SECRETS
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:  # what stands in it is not shown: it is secret
        raise BadInput(
            f"cannot read '{file}': {type(error).__name__}; expected TOML with a section [auth]"
        ) from None
    section = found.get("auth")
    return section if isinstance(section, dict) else None


def refusal(
    door: Door, *, method: str, peer: str, headers: Mapping[str, str], path: str = "/"
) -> tuple[int, str] | None:
    """Why a request is not answered, as status and sentence; None when it may be. Names of `headers` are small.

    `method` is an HTTP method, or `WEBSOCKET`; `peer` the address that the connection comes from.
    """
    if door.kind == "proxy" and not _among(peer, door.proxies):
        return 403, "this app is reached through its proxy"
    if door.kind == "loopback" and any(name in headers for name in FORWARDED):
        return 403, "this app has no login, so it is not for those who come through a proxy; see docs/app.md"
    host = headers.get("host", "")
    if _hostname(f"//{host}") not in door.hosts:
        return 421, "this app is not the one of that host"
    if (method not in SAFE_METHODS or path.endswith("/auth/logout")) and not _own(door, headers, host):
        return 403, "this app is asked by another site"
    return None


def actor_of(project: Project, door: Door, claims: Mapping[str, Any], since: float, now: float) -> Actor:
    """Who that is, with the roles of `workbench.toml`.

    `claims` are what the provider or the proxy says of the person, `since` when this session was first seen; times are
    seconds since the epoch. Raises AccessError for who is not known, and when the session is over.
    """
    if door.kind == "loopback":
        name = os_user()
        return Actor(name, project.roles_of(name))
    name, groups = _person(door, claims)
    issued = claims.get("iat")
    if door.kind == "oidc" and not isinstance(issued, int | float):
        raise AccessError("the provider does not say when you signed in (iat)")
    began = float(issued) if door.kind == "oidc" and isinstance(issued, int | float) else since
    if now - began >= project.app.session:
        raise AccessError("your session is over; sign in again")
    return Actor(name, project.roles_of(name, groups))


def _person(door: Door, claims: Mapping[str, Any]) -> tuple[str, Sequence[str]]:
    """Name and groups. An address counts only where the provider has verified it: anybody can write one down."""
    if door.kind == "proxy":
        name = str(claims.get("user") or "").strip()
        groups: Any = str(claims.get(GROUPS) or "").split(",")
    else:
        if claims.get("is_logged_in") is not True:
            raise AccessError("sign in first")
        verified = claims.get("email") if claims.get("email_verified") is True else None
        name = str(verified or claims.get("sub") or "").strip()
        groups = claims.get(GROUPS) or ()
    if not name:
        raise AccessError("nobody is named by who you came through; sign in first")
    listed = [groups] if isinstance(groups, str) else groups
    return name, [str(each).strip() for each in listed if str(each).strip()]


def _provider(project: Project, auth: Mapping[str, Any]) -> Door:
    """The door of a provider, if its section is whole. Raises BadInput that names no value of it but the address."""
    named = [
        name for name, value in auth.items() if isinstance(value, dict) and "server_metadata_url" in value
    ]
    missing = [key for key in _AUTH_KEYS if not auth.get(key)]
    if not named:
        missing += [key for key in _CLIENT_KEYS if not auth.get(key)]
    if missing:
        raise BadInput(f"[auth] in '{SECRETS}' lacks {', '.join(missing)}; see docs/app.md")
    if len(named) > 1:
        raise BadInput(f"[auth] in '{SECRETS}' has several providers ({', '.join(named)}); expected one")
    if len(str(auth["cookie_secret"])) < SHORTEST_SECRET:
        raise BadInput(
            f"auth.cookie_secret in '{SECRETS}' can be guessed; expected {SHORTEST_SECRET} characters or more: "
            'python3 -c "import secrets; print(secrets.token_hex())"'
        )
    address = urlsplit(str(auth["redirect_uri"]))
    name = address.hostname or ""
    if address.scheme != "https" and not is_loopback(name):
        raise BadInput(
            f"auth.redirect_uri in '{SECRETS}' is '{auth['redirect_uri']}', by which cookies could be read on their way; "
            "expected https"
        )
    hosts = frozenset({name, *project.app.hosts})
    return Door("oidc", hosts, address.scheme == "https", project.app.session)


def provider_name(auth: Mapping[str, Any] | None) -> str | None:
    """The name of the only provider that has one, as `[auth.google]`; None: the section itself is the provider."""
    section = auth or {}
    return next(
        (
            name
            for name, value in section.items()
            if isinstance(value, dict) and "server_metadata_url" in value
        ),
        None,
    )


def _refuse_everybody(project: Project) -> None:
    if not project.roles:
        raise BadInput(
            f"without [roles] in '{project.file}' whoever signs in may do everything; "
            'expected such as approver = ["ada@example.org", "group:reviewers"]'
        )


def _own(door: Door, headers: Mapping[str, str], host: str) -> bool:
    """Whether a page of this app asks, or no page at all: browsers name the page's origin, and others have no cookies."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site", "none") in ("none", "same-origin")
    if urlsplit(origin).netloc.lower() == host.lower():
        return True
    return (
        door.kind != "loopback"
        and door.secure
        and origin.startswith("https://")
        and _hostname(origin) in door.hosts
    )


def _hostname(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _among(peer: str, networks: Sequence[str]) -> bool:
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None) or address
    return any(mapped in ipaddress.ip_network(each, strict=False) for each in networks)
