"""API keys: who may call a server. Of a token only its SHA-256 is kept, in a file that nobody else can read.

A token is `wb_ID_SECRET`; the id is no secret and finds the key, the secret has 256 random bits, so that a plain hash of it
cannot be searched for.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, did_you_mean
from workbench.locks import locked
from workbench.setting_keys import Serving
from workbench.settings import Project

ROLES = ("caller", "operator")
"""Callers ask models; operators also report outcomes and read metrics."""


@dataclass(frozen=True)
class Key:
    """One key. Times are seconds since the epoch, UTC."""

    id: str
    name: str
    """Who has it: stands beside every prediction that was made with it."""
    role: str
    sha256: str
    created: float
    expires: float | None = None
    revoked: float | None = None

    def valid(self, now: float) -> bool:
        return self.revoked is None and (self.expires is None or now < self.expires)


def keys_file(project: Project) -> Path:
    return project.state / "api-keys.json"


def read_keys(file: Path) -> tuple[Key, ...]:
    """All keys, none where there is no file. Raises BadInput for a file that is none, or that others can read."""
    try:
        mode = file.stat().st_mode
        content = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the API keys in '{file}' cannot be read: {error}") from error
    if os.name == "posix" and mode & 0o077:
        raise BadInput(
            f"'{file}' holds API keys and can be read by others; make it yours alone: chmod 600 {file}"
        )
    try:
        return tuple(_key(each) for each in json.loads(content)["keys"])
    except (ValueError, TypeError, LookupError, RecursionError) as error:
        raise BadInput(f"'{file}' is no file of API keys: {error}") from error


def _key(plain: Mapping[str, Any]) -> Key:
    key = Key(**plain)
    texts = (key.id, key.name, key.role, key.sha256)
    times = (key.created, *(each for each in (key.expires, key.revoked) if each is not None))
    if not all(isinstance(each, str) for each in texts) or not all(
        isinstance(each, int | float) for each in times
    ):
        raise TypeError("a key's values are not of their types")
    if key.role not in ROLES:
        raise ValueError(f"'{key.role}' is no role{did_you_mean(key.role, ROLES)}")
    return key


def add_key(project: Project, name: str, role: str, expires: float | None = None) -> tuple[Key, str]:
    """A new key and its token, which is known to nobody afterwards. Raises BadInput for a name that has one."""
    with _changed(project) as keys:
        now = time.time()
        if any(key.name == name and key.valid(now) for key in keys):
            raise BadInput(f"'{name}' has a key already; replace it: workbench keys rotate {name}")
        key, token = _new(name, role, expires)
        keys.append(key)
    return key, token


def rotate_key(project: Project, name: str, overlap: float, expires: float | None = None) -> tuple[Key, str]:
    """A second key for `name`; those before it end after `overlap` seconds. Raises BadInput."""
    with _changed(project) as keys:
        now = time.time()
        old = [key for key in keys if key.name == name and key.valid(now)]
        if not old:
            raise _unknown(name, keys, now)
        for key in old:
            ends = now + overlap
            keys[keys.index(key)] = replace(
                key, expires=ends if key.expires is None else min(ends, key.expires)
            )
        key, token = _new(name, old[-1].role, expires)
        keys.append(key)
    return key, token


def revoke_key(project: Project, name: str) -> Sequence[Key]:
    """End every key of that name, or the one of that id, at once. Raises BadInput."""
    with _changed(project) as keys:
        now = time.time()
        ended = [key for key in keys if name in (key.name, key.id) and key.valid(now)]
        if not ended:
            raise _unknown(name, keys, now)
        for key in ended:
            keys[keys.index(key)] = replace(key, revoked=now)
    return ended


def _new(name: str, role: str, expires: float | None) -> tuple[Key, str]:
    number, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    token = f"wb_{number}_{secret}"
    return Key(number, name, role, hashlib.sha256(token.encode()).hexdigest(), time.time(), expires), token


def _unknown(name: str, keys: Iterable[Key], now: float) -> BadInput:
    known = {key.name for key in keys if key.valid(now)}
    return BadInput(f"there is no valid key of '{name}'{did_you_mean(name, known)}; see: workbench keys list")


@contextmanager
def _changed(project: Project) -> Iterator[list[Key]]:
    """The keys to be changed, by one process at a time; written whole, if the block ends well."""
    file = keys_file(project)
    with locked(file.with_name("api-keys.lock")):
        keys = list(read_keys(file))
        yield keys
        _write(file, keys)


def _write(file: Path, keys: Iterable[Key]) -> None:
    scratch = file.with_name(f".{file.name}.{os.getpid()}.new")
    scratch.unlink(missing_ok=True)
    content = json.dumps({"keys": [asdict(key) for key in keys]}, indent=1) + "\n"
    with os.fdopen(
        os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
    ) as out:
        out.write(content)
        out.flush()
        os.fsync(out.fileno())
    scratch.replace(file)


def used_file(project: Project, key: str) -> Path:
    """Empty; its age says when the key of that id was used."""
    return project.state / "api-keys.used" / key


def last_used(project: Project, key: Key) -> float | None:
    """Seconds since the epoch, to a minute; None for never."""
    try:
        return used_file(project, key.id).stat().st_mtime
    except OSError:
        return None


def beyond_this_machine(serving: Serving) -> bool:
    """Whether others can reach the server: it listens on more than loopback, or is known by names as behind a proxy."""
    return bool(serving.hosts) or not is_loopback(serving.host)


def is_loopback(host: str) -> bool:
    if host.lower() in ("localhost", "localhost."):
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def refuse_open_door(project: Project, serving: Serving) -> None:
    """Raises BadInput for a server that others can reach and that has no valid key; `workbench serve` asks at its start."""
    if not beyond_this_machine(serving):
        return
    now = time.time()
    if not any(key.valid(now) for key in read_keys(keys_file(project))):
        reached = (
            f"listens on {serving.host}"
            if not is_loopback(serving.host)
            else f"is {', '.join(serving.hosts)}"
        )
        raise BadInput(
            f"the server {reached}, where others can reach it, and there is no API key; "
            "make one: workbench keys add NAME"
        )
