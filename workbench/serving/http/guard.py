"""Who may call: by key where keys are, by name of the host where they are not, and no page of another site ever."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from workbench.serving.answers import Refused
from workbench.serving.http.api_keys import beyond_this_machine, is_loopback
from workbench.serving.http.keyring import Keyring
from workbench.setting_keys import Serving

OPEN = frozenset({"/ping", "/health", "/v2/health/live", "/v2/health/ready", "/docs"})
"""What needs no key: probes have none, and the page of the documentation holds nothing by itself."""
OPEN_BELOW = "/docs/"
FOR_OPERATORS = frozenset({"/metrics", "/outcomes", "/runs"})

Headers = Mapping[bytes, bytes]


@dataclass(frozen=True)
class Caller:
    """Who calls: the name of a key; None for somebody on this machine, where no keys are."""

    name: str | None = None


class Guard:
    """The door of one server."""

    def __init__(self, serving: Serving, keyring: Keyring) -> None:
        self._keyring = keyring
        self._beyond = beyond_this_machine(serving)
        names = {name.lower() for name in serving.hosts}
        self._any_host = not is_loopback(serving.host) and not names
        self._named = lru_cache(maxsize=256)(lambda host: _is_ours(host, names))

    def admit(self, headers: Headers, method: str, path: str) -> Caller:
        """Raises Refused (401, 403)."""
        host = headers.get(b"host", b"")
        # A page that had its name point at this machine still sends that name (DNS rebinding).
        if not self._any_host and not self._named(host):
            raise Refused(
                403, "host", "the server is not called that here; see [serve] hosts in workbench.toml"
            )
        if method not in ("GET", "HEAD"):
            refuse_other_sites(headers, host)
        if path in OPEN or path.startswith(OPEN_BELOW):
            return Caller()
        if not self._beyond and not self._keyring.any:
            return Caller()
        token = _token(headers)
        key = self._keyring.find(token) if token else None
        if key is None:
            said = "the API key is not known, or not valid any more" if token else "an API key is needed"
            raise Refused(401, "no-key", f"{said}: send Authorization: Bearer KEY, or X-API-Key")
        if path in FOR_OPERATORS and key.role != "operator":
            raise Refused(403, "role", f"key '{key.name}' is a caller's; {path} needs an operator's")
        return Caller(key.name)


def refuse_other_sites(headers: Headers, host: bytes) -> None:
    """A browser says whose page a request is from. Raises Refused (403)."""
    if headers.get(b"sec-fetch-site", b"none") not in (b"none", b"same-origin"):
        raise Refused(403, "cross-origin", "pages of other sites may not call")
    origin = headers.get(b"origin")
    # Browsers write it as scheme://host[:port], or null.
    if origin is not None and origin.lower().rpartition(b"://")[2] != host.lower():
        raise Refused(403, "cross-origin", "pages of other sites may not call")


def _is_ours(host: bytes, names: set[str]) -> bool:
    text = host.decode("latin-1").lower()
    name = text.rpartition(":")[0] if not text.endswith("]") and ":" in text else text
    return is_loopback(name) or name in names


def _token(headers: Headers) -> str:
    given = headers.get(b"authorization", b"")
    if given[:7].lower() == b"bearer ":
        return given[7:].strip().decode("latin-1")
    return headers.get(b"x-api-key", b"").strip().decode("latin-1")
