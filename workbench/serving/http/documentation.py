"""`/docs` and `/openapi.json`: what can be asked, as a page with forms. Everything on it comes from this server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import orjson
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from workbench.serving.answers import Refused, Standing
from workbench.serving.examples import golden_row
from workbench.serving.http.engine import Engine
from workbench.serving.http.openapi import document
from workbench.settings import Project

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Content-Security-Policy of the page: scripts and styles are this server's own files, and none stand in the page."""

_OURS = {"start.js": "text/javascript", "page.css": "text/css"}
_SWAGGER = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}


def add_documentation(site: FastAPI, project: Project, engine: Engine) -> None:
    """Give `site` its page; the document follows the versions that serve."""
    written = _Written(site, project, engine)

    @site.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        return Response(await written.now(), media_type="application/json")

    @site.get("/docs", include_in_schema=False)
    async def page() -> Response:
        content = files("workbench.serving.http").joinpath("assets", "docs.html").read_bytes()
        return Response(content, media_type="text/html", headers={"content-security-policy": POLICY})

    @site.get("/docs/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name in _OURS:
            folder, media = files("workbench.serving.http").joinpath("assets"), _OURS[name]
        elif name in _SWAGGER:
            # Swagger UI, which the package ships unchanged; its FastAPI class, which would set routes, is not used.
            folder, media = files("fastapi_offline").joinpath("static"), _SWAGGER[name]
        else:
            raise Refused(404, "not-found", f"there is no '{name[:80]}'")
        content = await asyncio.to_thread(folder.joinpath(name).read_bytes)
        return Response(content, media_type=media, headers={"cache-control": "max-age=3600"})


class _Written:
    """The document as it was written last, and for which versions."""

    def __init__(self, site: FastAPI, project: Project, engine: Engine) -> None:
        self._site, self._project, self._engine = site, project, engine
        self._for: object = None
        self._text = b""
        self._examples: dict[tuple[str, int], Mapping[str, Any] | None] = {}

    async def now(self) -> bytes:
        standings = list(self._engine.models().values())
        versions = [(each.model, each.version) for each in standings]
        if versions != self._for:
            self._text = await asyncio.to_thread(self._write, standings)
            self._for = versions
        return self._text

    def _write(self, standings: list[Standing]) -> bytes:
        base = get_openapi(
            title=self._site.title,
            version=", ".join(f"{each.model} {each.version}" for each in standings if each.version) or "none",
            routes=self._site.routes,
        )
        found = {
            each.model: golden_row(self._project, each.model, each.version, each.contract)
            for each in standings
        }
        examples = {model: row for model, row in found.items() if row}
        return orjson.dumps(document(base, standings, examples, self._project.serve))
