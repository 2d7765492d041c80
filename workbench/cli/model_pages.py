"""How versions, verdicts and the audit trail look in a terminal and as JSON."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.printing import print_json, print_table, when
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.comparison import Difference
    from workbench.ledger import Ledger, Verdict
    from workbench.promotion import Promotions
    from workbench.promotion_policy import Actor
    from workbench.registry import Version
    from workbench.trail import Entry, Period, Standing

COLOURS = {"champion": "green", "rejected": "red", "retired": "bright_black", "alias": "yellow"}
_HEADLINES = 3


def version_row(version: Version, now: Standing, verdict: Verdict | None) -> dict[str, Any]:
    """One version as the list shows it."""
    metrics = {
        name.removeprefix("metric."): value
        for name, value in version.tags.items()
        if name.startswith("metric.")
    }
    return {
        "model": version.model,
        "version": version.version,
        "state": now.state_of(version.version),
        "verdict": verdict.outcome if verdict else None,
        "passed": verdict.passed if verdict else None,
        "overridden": version.version in now.overrides,
        "alias_moved_here": now.foreign is not None and now.foreign.version == version.version,
        "pending": now.pending is not None and now.pending.version == version.version,
        "metrics": metrics,
        "created": version.created,
        "run": version.run,
        "aliases": list(version.aliases),
    }


def print_versions(rows: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json(rows)
        return
    if not rows:
        click.echo(
            "no model is registered yet; a pipeline with a `model:` section registers what it delivers"
        )
        return
    table = []
    for row in rows:
        metrics = ", ".join(f"{name} {value}" for name, value in list(row["metrics"].items())[:_HEADLINES])
        notes = [
            text
            for told, text in (
                (row["overridden"], "promoted against its verdict"),
                (row["alias_moved_here"], "ALIAS MOVED HERE IN MLFLOW, not served"),
                (row["pending"], "being moved right now"),
            )
            if told
        ]
        table.append((
            row["model"], str(row["version"]), row["state"], _judged(row), metrics,
            when(row["created"]), row["run"] or "", "; ".join(notes),
        ))  # fmt: skip
    print_table(("model", "version", "state", "verdict", "metrics", "registered", "run", ""), table)


def page_of(promotions: Promotions, version: Version, now: Standing, actor: Actor) -> dict[str, Any]:
    """Everything about a version that a reviewer asks for, the verdict first."""
    from workbench import ledger_trail
    from workbench.promotion_policy import Asked, may_promote

    ledger, project = promotions.ledger, promotions.project
    verdict = ledger.verdict(version.model, version.version)
    delivery = ledger.delivery(version.model, version.version)
    author = delivery.author if delivery else version.tags.get("workbench.author")
    policy = project.policy(version.model)
    decision = may_promote(policy, Asked(version.version, actor), verdict, author, now)
    mark = now.overrides.get(version.version)
    return {
        "model": version.model,
        "version": version.version,
        "verdict": asdict(verdict) if verdict else None,
        "state": now.state_of(version.version),
        "champion": now.champion,
        "champion_since": now.periods[-1].since if now.champion and now.periods else None,
        "champion_by": now.made_by.actor if now.champion and now.made_by else None,
        "policy": policy,
        "promotable": decision.allowed,
        "reasons": list(decision.reasons),
        "override": {"by": mark.actor, "at": mark.created, "reason": mark.reason, "objections": list(mark.overridden)} if mark else None,
        "foreign": {"alias": now.foreign.version, "seen": now.foreign.created} if now.foreign else None,
        "author": author,
        "run": version.run,
        "step": version.step,
        "mlflow_run": version.mlflow_run,
        "digest": version.digest,
        "created": version.created,
        "tags": dict(version.tags),
        "files": ledger_trail.attached(ledger, version.model, version.version),
    }  # fmt: skip


def print_page(page: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(page)
        return
    _print_verdict(page)
    if foreign := page["foreign"]:
        where = "taken away" if foreign["alias"] is None else f"put on version {foreign['alias']}"
        click.secho(
            f"the alias 'champion' was {where} in MLflow, not by the workbench (seen {when(foreign['seen'])}); "
            "that is not served", fg="yellow",
        )  # fmt: skip
    if mark := page["override"]:
        click.secho(
            f"promoted against its verdict by '{mark['by']}' on {when(mark['at'])}: {mark['reason']}",
            fg="yellow",
        )
        for objection in mark["objections"]:
            click.echo(f"  {objection}")
    click.echo(f"state      {page['state']}; {_champion(page)}; policy {page['policy']}")
    if page["promotable"]:
        click.echo(f"next       workbench models promote {page['model']} {page['version']}")
    elif page["state"] != "champion":
        click.echo("not promotable by you:")
        for reason in page["reasons"]:
            click.echo(f"  {reason}")
    tags = page["tags"]
    dirty = " and uncommitted changes" if tags.get("workbench.git.dirty") == "true" else ""
    for name, value in (
        ("run", f"{page['run'] or 'unknown'}, step {page['step'] or 'unknown'}"),
        ("author", page["author"] or "unknown"),
        ("commit", f"{tags.get('workbench.git.commit', 'none')[:12]}{dirty}"),
        ("registered", when(page["created"])),
        ("digest", page["digest"] or "none: it was not delivered by a pipeline"),
    ):
        click.echo(f"{name:<10} {value}")
    for title, values in (
        ("metrics", _beginning("metric.", tags)),
        ("data", _beginning("workbench.input.", tags)),
        ("files", page["files"]),
    ):
        for number, (name, value) in enumerate(sorted(values.items())):
            click.echo(f"{'' if number else title:<10} {name}  {value[:12]}")


def _judged(row: Mapping[str, Any]) -> str:
    return f"{'passed' if row['passed'] else 'failed'}, {row['verdict']}" if row["verdict"] else "not judged"


def _beginning(prefix: str, tags: Mapping[str, str]) -> dict[str, str]:
    return {name.removeprefix(prefix): value for name, value in tags.items() if name.startswith(prefix)}


def _print_verdict(page: Mapping[str, Any]) -> None:
    verdict = page["verdict"]
    title = f"version {page['version']} of '{page['model']}': "
    if verdict is None:
        click.secho(f"{title}not judged", bold=True)
        return
    word = "passed" if verdict["passed"] else "failed"
    click.secho(f"{title}{word}, {verdict['outcome']}", bold=True, fg="green" if verdict["passed"] else "red")
    for each in verdict["content"].get("thresholds", ()):
        sign = click.style("✓", fg="green") if each.get("passed") else click.style("✗", fg="red")
        click.echo(f"  {sign} {each.get('name', '?')}: {each.get('reason', '')}")
    against = verdict["champion_version"]
    click.echo(
        f"  judged {when(verdict['created'])} against {'no champion' if against is None else f'version {against}'}"
    )


def _champion(page: Mapping[str, Any]) -> str:
    if page["champion"] is None:
        return "there is no champion"
    return f"champion is version {page['champion']} since {when(page['champion_since'])} by '{page['champion_by']}'"


def print_differences(model: str, pair: tuple[int, int], found: Sequence[Difference], as_json: bool) -> None:
    if as_json:
        print_json([asdict(each) for each in found])
        return
    if not found:
        click.echo(f"versions {pair[0]} and {pair[1]} of '{model}' differ in nothing that is recorded")
        return
    rows = [(each.section, each.name, _short(each.first), _short(each.second)) for each in found]
    print_table(("", "", f"version {pair[0]}", f"version {pair[1]}"), rows)


def print_history(entries: Sequence[Entry], standings: Sequence[Standing], as_json: bool) -> None:
    if as_json:
        print_json([asdict(each) for each in reversed(entries)])
        return
    if not entries:
        click.echo("no champion was ever moved; start with: workbench models promote MODEL VERSION")
        return
    ended = {each.refers: each for each in entries if each.refers is not None}
    rows = []
    for each in reversed(entries):
        if each.refers is not None:
            continue  # told with the move that it ends
        outcome = "" if each.phase == "done" else _outcome(ended.get(each.sequence))
        note = "; ".join(
            filter(None, (each.reason, outcome, *(f"OVERRIDDEN: {why}" for why in each.overridden)))
        )
        rows.append((
            str(each.sequence), when(each.created), each.model, each.kind, _version(each.version),
            _version(each.replaces), each.actor, note,
        ))  # fmt: skip
    print_table(("entry", "when", "model", "what", "version", "replaces", "by", ""), rows)
    for now in standings:
        if now.pending:
            click.echo(f"'{now.model}' is being moved right now by '{now.pending.actor}'")


def _outcome(ending: Entry | None) -> str:
    if ending is None:
        return "in progress"
    return (
        f"repaired: {ending.reason}"
        if ending.kind == "repair"
        else ("" if ending.phase == "done" else "failed")
    )


def print_verified(problems: Sequence[str], count: int, as_json: bool) -> int:
    """0 when the trail is intact, else 1."""
    if as_json:
        print_json({"intact": not problems, "entries": count, "problems": list(problems)})
    elif problems:
        click.echo(f"the audit trail is BROKEN ({len(problems)} places, {count} entries):")
        for each in problems:
            click.echo(f"  {each}")
    else:
        click.echo(f"the audit trail is intact: {count} entries, each with the hash of the one before it")
    return 1 if problems else 0


def print_live(live: Mapping[str, Sequence[Period]], at: str, ledger: Ledger, as_json: bool) -> None:
    found: list[dict[str, Any]] = []
    for model, periods in live.items():
        for each in periods:
            delivery = ledger.delivery(model, each.version)
            found.append({
                "model": model, "version": each.version, "since": each.since, "until": each.until,
                "by": each.entry.actor, "kind": each.entry.kind, "reason": each.entry.reason,
                "run": delivery.run if delivery else None, "digest": each.entry.content.get("digest"),
            })  # fmt: skip
    if as_json:
        print_json(found)
        return
    for model, periods in live.items():
        if not periods:
            click.echo(f"'{model}' had no champion at {at}")
    for told in found:
        until = f"to {when(told['until'])}" if told["until"] else "until now"
        reason = f": {told['reason']}" if told["reason"] else ""
        click.echo(
            f"'{told['model']}' version {told['version']} from {when(told['since'])} {until} "
            f"({told['kind']} by '{told['by']}'{reason}; run {told['run'] or 'unknown'})"
        )


def moment(text: str) -> tuple[float, float]:
    """A day as the time from its start to the next one's, a moment as itself twice, local unless it says its zone.

    Raises BadInput.
    """
    try:
        start = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(
            f"--at '{text}' is not a time; expected a day like 2026-03-03 or a moment like 2026-03-03T14:30"
        ) from None
    if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text.strip()):
        return start.timestamp(), (start + timedelta(days=1)).timestamp()
    return start.timestamp(), start.timestamp()


def _version(version: int | None) -> str:
    return "none" if version is None else str(version)


def _short(value: Any) -> str:
    if value is None:
        return "-"
    text = str(value)
    return f"{text[:12]}…" if re.fullmatch(r"[0-9a-f]{40,64}", text) else text
