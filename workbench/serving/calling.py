"""The running server of a project, asked from outside as any caller asks it: over HTTP, with a key where it wants one."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.errors import WorkbenchError
from workbench.setting_keys import Serving

KEY_VARIABLE, URL_VARIABLE = "WORKBENCH_API_KEY", "WORKBENCH_SERVER"
"""The key that is sent, and where a server listens that is not where `[serve]` says."""

SECONDS = 3.0
"""For an answer to what a server has at hand."""

ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 - where to call, not to listen


@dataclass(frozen=True)
class Reply:
    """What a server said."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    """By names in lower case."""

    def json(self) -> Any:
        """Its body; an empty object where that is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return {}

    @property
    def message(self) -> str:
        """Why it refused, in its own words."""
        said = self.json()
        error = said.get("error", {}) if isinstance(said, dict) else {}
        return str(error.get("message", "") if isinstance(error, dict) else error) or f"status {self.status}"

    @property
    def wrong(self) -> tuple[tuple[str, str], ...]:
        """What is wrong with the request: where (a JSON pointer), and what."""
        said = self.json()
        error = said.get("error", {}) if isinstance(said, dict) else {}
        listed = error.get("wrong", ()) if isinstance(error, dict) else ()
        return tuple((str(each.get("at", "")), str(each.get("message", ""))) for each in listed)


@dataclass(frozen=True)
class Called:
    """A server that may be running."""

    url: str
    key: str = field(default="", repr=False)

    def get(self, path: str) -> Reply:
        """Raises WorkbenchError when nobody answers there."""
        return self._ask(urllib.request.Request(self.url + path, headers=self._headers()), SECONDS)  # noqa: S310

    def predict(self, model: str, row: Mapping[str, Any], seconds: float = 30.0) -> Reply:
        """Ask a model one row, one value for every column of its contract. Raises WorkbenchError as above."""
        request = urllib.request.Request(  # noqa: S310 - an address of the project's own settings
            f"{self.url}/predict/{urllib.parse.quote(model, safe='')}",
            data=json.dumps({"rows": [dict(row)]}).encode(),
            headers={**self._headers(), "Content-Type": "application/json"},
        )
        return self._ask(request, seconds)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}

    def _ask(self, request: urllib.request.Request, seconds: float) -> Reply:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=seconds) as reply:
                return _reply(reply.status, reply.read(), reply.headers)
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error.read(), error.headers)
        except (OSError, ValueError) as error:
            why = getattr(error, "reason", error)
            raise WorkbenchError(
                f"no server answers at {self.url} ({why}); start it: workbench serve, or all together: workbench up"
            ) from error


def server_of(serving: Serving) -> Called:
    """Where the project's server is to be found, with the key of this process."""
    host = ANYWHERE.get(serving.host, serving.host)
    there = f"http://{f'[{host}]' if ':' in host else host}:{serving.port}"
    return Called(os.environ.get(URL_VARIABLE, "").rstrip("/") or there, os.environ.get(KEY_VARIABLE, ""))


def _reply(status: int, body: bytes, headers: Any) -> Reply:
    return Reply(status, body, {name.lower(): value for name, value in headers.items()})
