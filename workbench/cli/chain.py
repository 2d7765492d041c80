"""One request and all that it is linked to: alert → trigger → request → run → version → verdict → promotion."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.printing import coloured, short_path, when

if TYPE_CHECKING:
    from workbench.ledger import Delivery, Ledger, Verdict
    from workbench.ledger_queue import Request
    from workbench.settings import Project
    from workbench.trail import Entry


@dataclass(frozen=True)
class Chain:
    """What is known of a request."""

    request: Request
    log: str
    run_state: str | None
    delivery: Delivery | None
    verdict: Verdict | None
    promotion: Entry | None
    """The move of the champion that came of it."""

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self.request),
            "log": self.log,
            "run_state": self.run_state,
            "version": asdict(self.delivery) if self.delivery else None,
            "verdict": asdict(self.verdict) if self.verdict else None,
            "promotion": asdict(self.promotion) if self.promotion else None,
        }


def chain(project: Project, ledger: Ledger, number: int) -> Chain:
    """Everything that hangs on one request. Raises BadInput when there is none."""
    from workbench import ledger_queue, ledger_trail
    from workbench.service.scheduler import request_log

    request = ledger_queue.request(ledger, number)
    run = ledger.run(request.run) if request.run else None
    delivery = next((each for each in ledger.deliveries() if run is not None and each.run == run.id), None)
    verdict, promotion = None, None
    if delivery is not None and delivery.version is not None:
        verdict = ledger.verdict(delivery.model, delivery.version)
        moves = ledger_trail.entries(ledger, delivery.model)
        mine = [each for each in moves if (each.content.get("cause") or {}).get("request") == number]
        promotion = mine[-1] if mine else None
    log = short_path(request_log(project, number))
    return Chain(request, log, run.state if run else None, delivery, verdict, promotion)


def print_chain(found: Chain) -> None:
    """One line for each link."""
    request = found.request
    click.echo(f"request {request.id} for a run of '{request.pipeline}': {coloured(request.state)}")
    if request.message:
        click.echo(f"  {request.message}")
    for name, value in request.parameters.items():
        click.echo(f"  parameter {name} = {value!r}")
    click.echo(f"  asked     {when(request.created)} by {came_from(request)}")
    if request.started is not None:
        click.echo(f"  began     {when(request.started)}, log {found.log}")
    if request.run is not None:
        click.echo(f"  run       {request.run}: {found.run_state}; see: workbench runs show {request.run}")
    if (made := found.delivery) is not None:
        click.echo(f"  version   {made.model} {made.version or f'({made.state})'}")
    if (verdict := found.verdict) is not None:
        said = str(verdict.content.get("summary", verdict.outcome))
        click.echo(f"  verdict   {coloured('done' if verdict.passed else 'failed', said)}")
    if (move := found.promotion) is not None:
        click.echo(
            f"  promotion {move.sequence}: {move.kind} by {move.actor}, {when(move.created)}: {move.reason}"
        )


def came_from(request: Request) -> str:
    """Who or what asked for a run, and why."""
    if request.trigger is None:
        return request.asked_by
    alert = request.cause.get("alert")
    named = f" (alert {alert})" if alert is not None else ""
    return f"trigger '{request.trigger}'{named}: {request.cause.get('reason', '')}"
