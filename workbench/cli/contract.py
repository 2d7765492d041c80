"""`workbench contract`: what data must be like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option
from workbench.cli.tables import table_of
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.contracts.contract import Contract
    from workbench.contracts.result import Checked


@click.command(
    cls=Lazy,
    modules={
        "infer": "contract:infer_contract",
        "check": "contract:check_file",
        "diff": "contract:diff_contracts",
        "show": "contract:show_contract",
    },
)
def command() -> None:
    """Data contracts: infer, check, diff, show.

    CONTRACT is a name in notebooks/contracts/, or a file's path. Tables are Parquet or CSV.
    """


@click.command("infer")
@click.argument("source", metavar="FILE|PIPELINE.STEP.OUTPUT")
@click.option("--name", metavar="NAME", help="The contract's name (default: the file's or the output's).")
@click.option("--label", metavar="COLUMN", help="The column to predict.")
@click.option("--output", type=click.Path(path_type=Path), help="Write it there instead of printing it.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@json_option
def infer_contract(
    source: str, name: str | None, label: str | None, output: Path | None, force: bool, as_json: bool
) -> int:
    """Propose a contract for a table: ranges widened, to be reviewed by a person."""
    import re

    from workbench.contracts.contract import contract_text, write_contract

    if output is not None and output.exists() and not force:
        raise BadInput(f"'{output}' is there already; --force writes over it")
    path, default = table_of(source)
    from workbench.contracts.infer import infer, remarks
    from workbench.contracts.tables import read_table

    chosen = name or re.sub(r"[^A-Za-z0-9_-]+|^(?=[^A-Za-z_])", "_", default)
    frame = read_table(path)
    contract = infer(
        frame,
        _valid_name(chosen),
        label=label,
        description=f"Inferred from {len(frame):,} rows; review every line.",
    )
    if output is not None:
        write_contract(contract, output)
    if as_json:
        from workbench.cli.printing import print_json

        print_json({
            "contract": contract.as_dict(), "remarks": remarks(contract),
            "file": None if output is None else str(output),
        })  # fmt: skip
        return 0
    click.echo(f"wrote {output}" if output is not None else contract_text(contract), nl=output is not None)
    for remark in remarks(contract):
        click.echo(f"consider: {remark}", err=True)
    return 0


@click.command("check")
@click.argument("contract")
@click.argument("source", metavar="FILE|PIPELINE.STEP.OUTPUT")
@click.option(
    "--features", is_flag=True, help="Check what a model is given: features only, the deny-list refused."
)
@click.option(
    "--reference", metavar="FILE", help="A table to report value skew against, such as the training set."
)
@click.option("--report", type=click.Path(path_type=Path), help="Write an HTML page.")
@json_option
def check_file(
    contract: str, source: str, features: bool, reference: str | None, report: Path | None, as_json: bool
) -> int:
    """Check a table against a contract. Exit code 0 when nothing stops, 1 when something does."""
    wanted = _find(contract)
    if features:
        wanted = wanted.of_features()
    path, _ = table_of(source)
    from workbench.contracts.check import check
    from workbench.contracts.skew import profile, skew
    from workbench.contracts.tables import read_table

    frame = read_table(path, wanted)
    skews: dict[str, float] = {}
    if reference is not None:
        known = profile(read_table(table_of(reference)[0], wanted), wanted)
        skews = skew(known, frame, wanted)
    checked = check(frame, wanted)
    if report is not None:
        from workbench.contracts.page import contract_page

        report.parent.mkdir(parents=True, exist_ok=True)
        report.write_text(contract_page(checked, skews), encoding="utf-8")
    if as_json:
        from workbench.cli.printing import print_json

        print_json(checked.as_dict() | ({"skew": skews} if reference is not None else {}))
    else:
        _print_checked(checked, skews)
    return 0 if checked.passed else 1


@click.command("diff")
@click.argument("old")
@click.argument("new")
@json_option
def diff_contracts(old: str, new: str, as_json: bool) -> int:
    """Show what changed between two contracts, and which changes let more data through.

    Exit code 0 when they are equal, 1 when they differ.
    """
    from dataclasses import asdict

    from workbench.cli.printing import print_json
    from workbench.contracts.diff import diff

    changes = diff(_find(old), _find(new))
    if as_json:
        print_json([asdict(change) for change in changes])
    elif not changes:
        click.echo("no difference")
    for change in () if as_json else changes:
        click.echo(str(change))
    return 1 if changes else 0


@click.command("show")
@click.argument("contract")
@json_option
def show_contract(contract: str, as_json: bool) -> int:
    """Show a contract: what each column must be, and which of them a model may be given."""
    found = _find(contract)
    if as_json:
        from workbench.cli.printing import print_json

        print_json(found.as_dict() | {"features": list(found.features)})
        return 0
    from workbench.cli.printing import print_table

    click.echo(f"contract '{found.name}'{': ' + found.description if found.description else ''}")
    plain = found.as_dict()
    for key in ("rows", "freshness", "unique", "quarantine", "extra"):
        if key in plain:
            click.echo(f"  {key}: {_words(plain[key])}")
    rows = [
        (column.name, column.type, "feature" if column.name in found.features else _role(found, column.name),
         _words({k: v for k, v in plain["columns"][column.name].items() if k not in ("type", "help")}), column.help)
        for column in found.columns
    ]  # fmt: skip
    print_table(("column", "type", "role", "must be", ""), rows)
    if found.rules:
        print_table(
            ("rule", "severity", "expect"),
            [(rule.name, rule.severity, rule.expect.text) for rule in found.rules],
        )
    if found.never_features:
        click.echo(f"never features: {', '.join(found.never_features)}")
    if found.keys:
        click.echo(f"keys, which identify a row: {', '.join(found.keys)}")
    return 0


def _find(name: str) -> Contract:
    from workbench.contracts.contract import FOLDER, find_contract, read_contract
    from workbench.settings import find_project

    path = Path(name)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return read_contract(path)
    return read_contract(find_contract(name, find_project().notebooks / FOLDER))


def _valid_name(name: str) -> str:
    import re

    from workbench.contracts.schema import NAME

    if not re.fullmatch(NAME, name):
        raise BadInput(
            f"'{name}' is not a contract's name; expected letters, digits, '_' and '-': --name NAME"
        )
    return name


def _role(contract: Contract, name: str) -> str:
    return "label" if name == contract.label else "never a feature"


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(each)}" if each is not True else key for key, each in value.items())
    if isinstance(value, list):
        shown = ", ".join(map(_words, value[:8])) + (", …" if len(value) > 8 else "")
        return f"[{shown}]"
    return str(value)


def _print_checked(checked: Checked, skews: dict[str, float]) -> None:
    from workbench.cli.printing import coloured, print_table

    counts = checked.as_dict()["rows"]
    state = coloured("done", "passed") if checked.passed else coloured("failed", "stopped")
    click.echo(
        f"contract '{checked.contract.name}': {state}; {counts['read']:,} rows read, {counts['kept']:,} kept, "
        f"{counts['faulty']:,} faulty, {counts['excluded']:,} set aside without fault"
    )
    for stop in checked.stops:
        click.echo(f"{coloured('failed', 'stop')}: {stop}")
    for warning in checked.warnings:
        click.echo(f"{coloured('run', 'warning')}: {warning}")
    broken = [breach for breach in checked.breaches if breach.count]
    if broken:
        rows = [
            (breach.rule, breach.severity, f"{breach.count:,}",
             ", ".join(f"row {row}: {value}" for row, value in breach.examples[:3]))
            for breach in sorted(broken, key=lambda breach: -breach.count)
        ]  # fmt: skip
        print_table(("rule", "severity", "rows", "examples"), rows)
    if skews:
        rows_of_skew = [(name, f"{value:.3f}") for name, value in skews.items()]
        print_table(("column", "skew against the reference, 0 to 1"), rows_of_skew)
