"""The keys of `workbench.toml`: their defaults, what each section becomes, and what is wrong with a value."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from workbench.errors import did_you_mean

_UNITS = {"": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 2**10, "mib": 2**20, "gib": 2**30}
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "ms": 0.001}

DEFAULTS: dict[str, dict[str, Any]] = {
    "project": {"name": ""},
    "run": {"workers": 0, "output_budget": "20MB", "kernel_start_timeout": "60s"},
    "ledger": {"url": ""},
    "mlflow": {"enabled": True, "tracking_uri": "", "artifacts": ""},
    "gc": {"keep_runs": 50, "keep_days": 30},
    "executor": {"scheduler": ""},
    "roles": {"viewer": (), "operator": (), "approver": (), "admin": ()},
    "models": {"policy": "manual"},
    "serve": {
        "host": "127.0.0.1", "port": 8000, "workers": 1, "hosts": (), "max_body": "8MB", "max_rows": 10_000,
        "max_columns": 1_000, "max_text": 10_000, "max_waiting": 256, "timeout": "30s", "read_timeout": "10s",
    },
    "canary": {"max_errors": 3, "max_refused": 0.05, "max_slowdown": 3.0, "min_batches": 50},
    "predictions": {"durability": "durable", "keep_days": 0, "compact_every": "1m"},
    "service": {
        "server": True, "app": True, "mlflow": True, "app_port": 8501, "mlflow_port": 5000, "runs": 1,
        "check_every": "5s",
    },
    "app": {
        "host": "127.0.0.1", "hosts": (), "user_header": "", "groups_header": "", "proxies": (), "session": "8h",
    },
    "notify": {"urls": ()},
}  # fmt: skip
"""Every section and key of `workbench.toml` with its default; an empty URL means: inside the project.

`[models.NAME]` takes the keys of `[models]` for one model.
"""

POLICIES = ("auto", "manual", "two-person")
"""Who decides that a version becomes champion: its verdict, an approver, an approver who is not its author."""

ROLES = ("viewer", "operator", "approver", "admin")
"""What a person may do, in rising order: each role includes those before it."""

GROUP = "group:"
"""Before the name of a group that has a role."""

DURABILITIES = ("durable", "async")
"""When a prediction is answered: once it is on disk, or before."""


@dataclass(frozen=True)
class Predictions:
    """How the prediction log is kept."""

    durability: str = "durable"
    """One of DURABILITIES."""
    keep_days: int = 0
    """Days after which predictions, and what became of them, are removed; 0: never."""
    compact_every: float = 60.0
    """Seconds between two times that a server moves what it answered from the journal into Parquet files."""


@dataclass(frozen=True)
class ServiceSettings:
    """What `workbench up` runs besides the scheduler, and how."""

    server: bool = True
    app: bool = True
    mlflow: bool = True
    app_port: int = 8501
    mlflow_port: int = 5000
    runs: int = 1
    """At a time."""
    check_every: float = 5.0
    """Seconds between two looks at triggers and queue."""


@dataclass(frozen=True)
class AppSettings:
    """Where `workbench app` listens, and who may come in; its port is `service.app_port`."""

    host: str = "127.0.0.1"
    hosts: tuple[str, ...] = ()
    """Names under which others reach it."""
    user_header: str = ""
    """The header in which a reverse proxy names who asks; empty: there is none."""
    groups_header: str = ""
    """And their groups, separated by commas."""
    proxies: tuple[str, ...] = ()
    """Addresses and networks of proxies that are believed."""
    session: float = 8 * 3600.0
    """Seconds after which somebody has to sign in anew."""


_AMOUNTS = {"output_budget": "size", "max_body": "size"} | dict.fromkeys(
    ("kernel_start_timeout", "timeout", "read_timeout", "compact_every", "check_every", "session"), "duration"
)
"""Keys whose values are sizes or durations, both of more than nothing."""


@dataclass(frozen=True)
class Serving:
    """Where `workbench serve` listens, and how much it takes of one request and of all."""

    host: str = "127.0.0.1"
    port: int = 8000
    """0: one that is free."""
    workers: int = 1
    hosts: tuple[str, ...] = ()
    """Names under which others reach the server, as through a proxy: with any of them, API keys are required."""
    max_body: int = 8_000_000
    """Bytes."""
    max_rows: int = 10_000
    max_columns: int = 1_000
    max_text: int = 10_000
    """Characters of one value."""
    max_waiting: int = 256
    """Requests that one worker has in hand at a time."""
    timeout: float = 30.0
    """Seconds from the request's head to its answer."""
    read_timeout: float = 10.0
    """Seconds for a request's head to arrive, and as many for its body."""


@dataclass(frozen=True)
class CanaryLimits:
    """When a canary is taken back; see serving.guard."""

    max_errors: int = 3
    max_refused: float = 0.05
    """Of its requests, 0 to 1."""
    max_slowdown: float = 3.0
    """Times the champion's seconds."""
    min_batches: int = 50


def parse_size(text: str | float) -> int:
    """Bytes of '20MB', '1.5 GiB' or a plain number. Raises ValueError that says what is expected."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", str(text))
    unit = match.group(2).lower().removesuffix("b") if match else None
    if match is None or unit is None or (unit and f"{unit}b" not in _UNITS):
        raise ValueError(f"'{text}' is not a size; expected a number with KB, MB or GB, such as 20MB")
    return int(float(match.group(1)) * _UNITS[f"{unit}b" if unit else ""])


def parse_duration(text: str | float) -> float:
    """Seconds of '90s', '10m', '1h30m', '1d' or a plain number. Raises ValueError saying what is expected."""
    plain = str(text).replace(" ", "")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhd])", plain)
    if parts and "".join(number + unit for number, unit in parts) == plain:
        return sum(float(number) * _SECONDS[unit] for number, unit in parts)
    if re.fullmatch(r"\d+(\.\d+)?", plain):
        return float(plain)
    raise ValueError(f"'{text}' is not a duration; expected a number with s, m, h or d, such as 10m or 1h30m")


def made(values: Mapping[str, Any]) -> dict[str, Any]:
    """A section's values as its class takes them: sizes in bytes, durations in seconds, lists as tuples."""
    return {
        key: _amount(key, value) if key in _AMOUNTS else tuple(value) if isinstance(value, list) else value
        for key, value in values.items()
    }


def _amount(key: str, value: str | float) -> float:
    return parse_size(value) if _AMOUNTS[key] == "size" else parse_duration(value)


def problem_of(section: str, key: str, value: object) -> str | None:
    """What is wrong with one setting, or None."""
    known = DEFAULTS[section]
    if key not in known:
        return f"unknown key{did_you_mean(key, known)}"
    if section == "roles" or key in ("hosts", "proxies"):
        if isinstance(value, list) and all(isinstance(name, str) and name for name in value):
            return _check_networks(value) if key == "proxies" else None
        return f'{value!r} is not a list of names; expected such as ["ada", "grace"]'
    if section == "notify":
        return _check_urls(value)
    if key == "policy" and value not in POLICIES:
        return f"{value!r} is not a policy{did_you_mean(str(value), POLICIES)}"
    if key == "durability" and value not in DURABILITIES:
        return f"{value!r} is not a durability{did_you_mean(str(value), DURABILITIES)}"
    if key in _AMOUNTS:
        try:
            amount = _amount(key, value if isinstance(value, str | int | float) else repr(value))
        except ValueError as error:
            return str(error)
        return None if amount else f"{value!r} is not more than nothing"
    expected = type(known[key])
    if type(value) is not expected:
        return f"{value!r} is {type(value).__name__}; expected {expected.__name__}"
    if expected is int and isinstance(value, int) and value < 0:
        return f"{value} is negative; expected 0 or more"
    if section == "serve":
        return _check_serving(key, value)
    if section == "canary":
        return _check_canary(key, value)
    if section == "service":
        return _check_service(key, value)
    if section == "app":
        return _check_app(key, value)
    if key == "name" and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", str(value)):
        return f"'{value}' is not a project's name; expected letters, digits, '.', '_' and '-'"
    return None


def _check_urls(value: object) -> str | None:
    """What is wrong with them, without showing any: they hold secrets."""
    expected = (
        'expected URLs of apprise, such as ["${SLACK_URL}", "mailto://user:${MAIL_PASSWORD}@example.org"]'
    )
    if not isinstance(value, list) or not all(isinstance(url, str) for url in value):
        return f"is not a list of texts; {expected}"
    for number, url in enumerate(value, 1):
        if not re.fullmatch(r"\$\{[A-Za-z_]\w*\}|[A-Za-z][A-Za-z0-9+.-]*://\S+", url):
            return f"the URL number {number} is none; {expected}"
    return f"one of its URLs stands there twice; {expected}" if len(set(value)) < len(value) else None


def _check_serving(key: str, value: Any) -> str | None:
    if key in ("workers", "max_rows", "max_columns", "max_text", "max_waiting") and value == 0:
        return "0 would refuse every request; expected 1 or more"
    if key == "port" and value > 65_535:
        return f"{value} is not a port; expected 0 to 65535 (0: one that is free)"
    if key == "host" and not value:
        return "'' is not an address; expected such as 127.0.0.1"
    return None


def _check_service(key: str, value: Any) -> str | None:
    if key in ("app_port", "mlflow_port") and not 0 < value <= 65_535:
        return f"{value} is not a port; expected 1 to 65535"
    return "0 would run nothing; expected 1 or more" if key == "runs" and value == 0 else None


def _check_app(key: str, value: Any) -> str | None:
    if key == "host" and not value:
        return "'' is not an address; expected such as 127.0.0.1"
    if key.endswith("_header") and value and not re.fullmatch(r"[A-Za-z0-9-]+", value):
        return f"'{value}' is not the name of a header; expected such as X-Forwarded-Email"
    return None


def _check_networks(values: Iterable[str]) -> str | None:
    for value in values:
        try:
            ip_network(value, strict=False)
        except ValueError:
            return f"'{value}' is neither an address nor a network; expected such as 10.0.0.5 or 10.0.0.0/24"
    return None


def _check_canary(key: str, value: Any) -> str | None:
    if key == "max_refused" and not 0 <= value <= 1:
        return f"{value} is no share; expected 0 to 1"
    if key == "max_slowdown" and not value >= 1:
        return f"{value} would take every canary back; expected 1 or more"
    if key in ("max_errors", "min_batches") and value == 0:
        return "0 would take every canary back; expected 1 or more"
    return None
