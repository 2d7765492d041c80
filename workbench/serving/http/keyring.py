"""The API keys as a running server knows them."""

from __future__ import annotations

import hashlib
import hmac
import time

from workbench.errors import BadInput
from workbench.serving.http.api_keys import Key, keys_file, read_keys, used_file
from workbench.settings import Project

LOOK_EVERY = 0.5
"""Seconds after which a change of the file counts."""

USED_EVERY = 60.0
"""Seconds: how exactly is known when a key was used last."""

_NOBODY = "0" * 64


class Keyring:
    """The keys as a running server knows them: changes of the file count; one that cannot be read does not."""

    def __init__(self, project: Project) -> None:
        self._file = keys_file(project)
        self._project = project
        self._used: dict[str, float] = {}
        self._keys: dict[str, Key] = {key.id: key for key in read_keys(self._file)}
        self._seen = self._signature()
        self._looked = time.monotonic()
        self.trouble = ""
        """Why the file was not taken over the last time that it changed; empty when it was."""

    @property
    def any(self) -> bool:
        """Whether there ever was a key: from then on, whoever calls needs one, if the last of them ran out as well."""
        self._look()
        return bool(self._keys)

    def find(self, token: str) -> Key | None:
        """The key of a token, if it is valid now."""
        self._look()
        key = self._keys.get(token[3:11])
        given = hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
        # Without a key something is compared as well, so that the time does not tell which ids there are.
        if not hmac.compare_digest(given, key.sha256 if key else _NOBODY) or key is None:
            return None
        now = time.time()
        if not key.valid(now):
            return None
        if now - self._used.get(key.id, 0.0) > USED_EVERY:
            self._used[key.id] = now
            self._note_use(key)
        return key

    def _note_use(self, key: Key) -> None:
        """Its file's age says when; a disk that is full does not keep a caller out."""
        try:
            file = used_file(self._project, key.id)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
        except OSError as error:
            self.trouble = f"that a key was used cannot be noted: {error}"

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        signature = self._signature()
        if signature == self._seen:
            return
        if signature is None:
            self.trouble = f"'{self._file}' is gone; the keys that were known count on"
            return
        try:
            self._keys = {key.id: key for key in read_keys(self._file)}
            self._seen, self.trouble = signature, ""
        except BadInput as error:
            self.trouble = str(error)

    def _signature(self) -> tuple[int, int, int, int] | None:
        try:
            found = self._file.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode
