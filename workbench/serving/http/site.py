"""What is not asked often: health, versions, metadata, outcomes, metrics, and the documentation."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from importlib.metadata import version as version_of
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from workbench.errors import did_you_mean
from workbench.serving.answers import Refused, Standing, Wrong
from workbench.serving.http import open_inference
from workbench.serving.http.documentation import add_documentation
from workbench.serving.http.engine import Engine
from workbench.serving.http.intake import media_type
from workbench.serving.http.metrics import CONTENT_TYPE, Metrics
from workbench.serving.http.outcomes import report
from workbench.serving.http.problems import SHOWN, reason_of, said_of
from workbench.serving.http.runs import ask_for_run
from workbench.serving.http.schemas import OUTCOMES_BODY, RUN_BODY
from workbench.settings import Project


def make_site(project: Project, engine: Engine, metrics: Metrics) -> FastAPI:
    """The application for everything but predictions."""
    site = FastAPI(title=project.name, docs_url=None, redoc_url=None, openapi_url=None)
    _add_errors(site)
    _add_health(site, engine)
    _add_metadata(site, engine)
    add_documentation(site, project, engine)

    @site.post("/outcomes", tags=["operations"], openapi_extra={"requestBody": OUTCOMES_BODY})
    async def report_outcomes(request: Request) -> Mapping[str, Any]:
        """Labels that come later, by prediction id or by the contract's keys; what became of them is counted."""
        media_type(dict(request.scope["headers"]), b"application/json")
        return await asyncio.to_thread(report, project, engine, await request.body())

    @site.post("/runs", status_code=202, tags=["operations"], openapi_extra={"requestBody": RUN_BODY})
    async def ask(request: Request) -> Mapping[str, Any]:
        """Ask for a run of a pipeline: it waits in the queue until `workbench up` starts it."""
        media_type(dict(request.scope["headers"]), b"application/json")
        caller = request.scope["workbench.told"].caller
        return await asyncio.to_thread(ask_for_run, project, await request.body(), caller)

    @site.get("/metrics", tags=["operations"], response_class=Response)
    async def read_metrics() -> Response:
        """Prometheus's text format; of all workers."""
        metrics.serving(engine.models().values())
        return Response(metrics.text(), media_type=CONTENT_TYPE.decode())

    return site


def _add_errors(site: FastAPI) -> None:
    """Refusals look alike, whoever refuses."""

    def reply(request: Request, refused: Refused, headers: Mapping[str, str] | None = None) -> Response:
        told = request.scope["workbench.told"]
        told.reason, told.at = refused.reason, [wrong.at for wrong in refused.wrong[:SHOWN]]
        said = said_of(refused, request.scope["path"], told.request)
        return JSONResponse(said, refused.status, headers)

    @site.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return reply(request, error)

    @site.exception_handler(HTTPException)
    async def by_framework(request: Request, error: HTTPException) -> Response:
        status = error.status_code
        return reply(request, Refused(status, reason_of(status), str(error.detail)), error.headers)

    @site.exception_handler(RequestValidationError)
    async def not_valid(request: Request, error: RequestValidationError) -> Response:
        wrong = [
            Wrong("".join(f"/{part}" for part in each["loc"][1:]), str(each["msg"]))
            for each in error.errors()
        ]
        return reply(request, Refused(422, "malformed", "the request is not of the expected shape", wrong))


def _add_health(site: FastAPI, engine: Engine) -> None:
    def ready() -> JSONResponse:
        waiting = [name for name, each in engine.models().items() if not each.ready]
        return JSONResponse({"ready": not waiting, "waiting": waiting}, 503 if waiting else 200)

    @site.get("/ping", tags=["health"])
    async def ping() -> Response:
        """Whether every model is ready, as MLflow's clients ask."""
        return ready()

    @site.get("/health", tags=["health"])
    async def health() -> Response:
        """The same."""
        return ready()

    @site.get("/v2/health/ready", tags=["health"])
    async def v2_ready() -> Response:
        """The same, as the Open Inference Protocol asks."""
        return ready()

    @site.get("/v2/health/live", tags=["health"])
    async def v2_live() -> Response:
        """Whether the server works at all; a model may still be missing."""
        return JSONResponse({"live": engine.alive()}, 200 if engine.alive() else 503)


def _add_metadata(site: FastAPI, engine: Engine) -> None:
    @site.get("/version", tags=["models"])
    async def versions() -> Mapping[str, Any]:
        """Which version of each model serves in this worker, and what runs beside it."""
        models = {name: _standing(each) for name, each in engine.models().items()}
        return {"server": version_of("notebook-workbench"), "worker": os.getpid(), "models": models}

    @site.get("/v2", tags=["models"])
    async def server() -> Mapping[str, Any]:
        """Name, version and extensions of the server."""
        version = version_of("notebook-workbench")
        return {"name": "workbench", "version": version, "extensions": list(open_inference.EXTENSIONS)}

    def metadata(model: str, version: str | None = None) -> Mapping[str, Any]:
        standing = _serving(engine, model, version)
        return open_inference.metadata(model, _versions(standing), standing.contract)

    def ready(model: str, version: str | None = None) -> Response:
        standing = _serving(engine, model, version)
        return JSONResponse({"name": model, "ready": standing.ready}, 200 if standing.ready else 503)

    @site.get("/v2/models/{model}", tags=["models"])
    async def model_metadata(model: str) -> Mapping[str, Any]:
        """What a model takes and gives."""
        return metadata(model)

    @site.get("/v2/models/{model}/versions/{version}", tags=["models"])
    async def version_metadata(model: str, version: str) -> Mapping[str, Any]:
        """The same; 404 for a version that does not serve."""
        return metadata(model, version)

    @site.get("/v2/models/{model}/ready", tags=["models"])
    async def model_ready(model: str) -> Response:
        """Whether a model can answer."""
        return ready(model)

    @site.get("/v2/models/{model}/versions/{version}/ready", tags=["models"])
    async def version_ready(model: str, version: str) -> Response:
        """The same; 404 for a version that does not serve."""
        return ready(model, version)


def _standing(each: Standing) -> Mapping[str, Any]:
    return {
        "version": each.version, "digest": each.digest, "ready": each.ready, "since": each.since,
        "alert": each.alert, "canary": each.canary, "share": each.share, "shadow": each.shadow,
        "shadowed": dict(each.shadowed),
    }  # fmt: skip


def _versions(standing: Standing) -> list[int]:
    """Those that answer."""
    return [version for version in (standing.version, standing.canary) if version is not None]


def _serving(engine: Engine, model: str, version: str | None) -> Standing:
    models = engine.models()
    if model not in models:
        hint = did_you_mean(model, models) if len(model) <= 80 else ""
        raise Refused(404, "no-such-model", f"no model '{model[:80]}' serves here{hint}")
    if version is not None and version not in map(str, _versions(models[model])):
        raise Refused(404, "no-such-version", f"version {version[:20]} of '{model}' does not serve")
    return models[model]
