"""`/docs` and `/openapi.json`: what can be asked, as a page with forms. Everything on it comes from this server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import orjson
from fastapi import FastAPI, Response
from fastapi.openapi.utils import get_openapi

from workbench.errors import WorkbenchError
from workbench.ledger import Ledger
from workbench.registry import address, local_folder
from workbench.serving.answers import Refused, Standing
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
        examples = {each.model: row for each in standings if (row := golden_row(self._project, each))}
        return orjson.dumps(document(base, standings, examples, self._project.serve))


def golden_row(project: Project, standing: Standing) -> dict[str, Any] | None:
    """The most complete of a version's golden requests; None where the ledger or its files are away."""
    if standing.version is None or standing.contract is None:
        return None
    try:
        with Ledger.open(project) as ledger:
            delivery = ledger.delivery(standing.model, standing.version)
        if delivery is None:
            return None
        folder = local_folder(project, address(project, standing.model, delivery.digest))
        if folder is None:
            return None
        golden = orjson.loads((folder / "golden.json").read_bytes())
        columns, rows = golden["columns"], golden["inputs"]
    except (WorkbenchError, OSError, ValueError, LookupError, TypeError):
        return None
    whole = min(rows, key=lambda row: sum(cell is None for cell in row), default=None)
    if whole is None or {*standing.contract.features} - {*columns}:
        return None
    types = {column.name: column.type for column in standing.contract.columns}
    row = dict(zip(columns, whole, strict=True))
    return {name: _as_json(row[name], types[name]) for name in standing.contract.features}


def _as_json(value: Any, kind: str) -> Any:
    whole = kind == "int" and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value
