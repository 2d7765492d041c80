"""One prediction by its id, with everything that is on record of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from workbench.errors import BadInput, LogError
from workbench.prediction_log.entries import prediction_id, split_id
from workbench.prediction_log.joining import all_outcomes
from workbench.prediction_log.places import (
    current,
    day_folder,
    days,
    files_in,
    find_batch,
    made_on,
    models,
    near,
)
from workbench.prediction_log.snapshot import snapshot
from workbench.prediction_log.tables import INPUT, KEY, table_of
from workbench.settings import Project


@dataclass(frozen=True)
class Prediction:
    """One row that one version answered."""

    request: str
    row: int
    model: str
    version: int
    digest: str
    kind: str
    came: datetime
    """UTC."""
    latency: float | None
    """Seconds; None for a batch."""
    caller: str | None
    probability: float | None
    """None where the version gave none."""
    keys: Mapping[str, str | None]
    inputs: Mapping[str, Any]
    """What the model was given; None: missing."""
    outcomes: tuple[tuple[Any, datetime], ...] = ()
    """Labels and when they came; the last one counts."""
    shadows: tuple[Prediction, ...] = field(default=(), repr=False)
    """What other versions said of the same row without being heard."""

    @property
    def id(self) -> str:
        return prediction_id(self.request, self.row)

    @property
    def outcome(self) -> Any:
        """The newest label; None while none came."""
        return self.outcomes[-1][0] if self.outcomes else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "id": self.id, "model": self.model, "version": self.version, "digest": self.digest, "kind": self.kind,
            "came": self.came.isoformat(), "latency": self.latency, "caller": self.caller,
            "probability": self.probability, "keys": dict(self.keys),
            "inputs": {name: _plain(value) for name, value in self.inputs.items()}, "outcome": self.outcome,
            "outcomes": [{"label": label, "came": came.isoformat()} for label, came in self.outcomes],
            "shadows": [each.as_dict() for each in self.shadows],
        }  # fmt: skip


def find(project: Project, prediction: str, *, everywhere: bool = True) -> Prediction:
    """The prediction with this id. Raises BadInput when it is not on record, LogError.

    A server's id says when it was made, and a batch's which file has it. Where neither helps, the whole log is read; without
    `everywhere` it is not, and such a prediction counts as not on record.
    """
    request, row = split_id(prediction)
    # The journal first: what is moved meanwhile is in a file then. Shadows may be elsewhere than the answer.
    waiting = list(_in_journal(project, request, row))
    moved = list(_in_files(project, request, row, only_likely=bool(waiting) or not everywhere))
    found = list({(each.version, each.kind): each for each in [*waiting, *moved]}.values())
    if not found:
        where = "" if everywhere or made_on(request) else " where its id says; search everywhere"
        see = "list" if not where else f"show {prediction}"
        raise BadInput(
            f"there is no prediction '{prediction}' on record{where}; see: workbench predictions {see}"
        )
    heard = sorted(found, key=lambda each: (each.kind == "shadow", each.version))
    told = _told(project, heard[0])
    return replace(heard[0], outcomes=told, shadows=tuple(replace(each, outcomes=told) for each in heard[1:]))


def _in_journal(project: Project, request: str, row: int) -> Iterator[Prediction]:
    with snapshot(project) as journal:
        entries = list(journal.of_request(request)) if journal else []
    for entry in entries:
        if row < entry.rows:
            yield _prediction(table_of([entry]).slice(row, 1).to_pylist()[0])


def _in_files(project: Project, request: str, row: int, *, only_likely: bool) -> Iterator[Prediction]:
    for model in models(project):
        batch = find_batch(project, model, request)
        if batch:
            yield from _in_file(batch, request, row)
            continue
        known = days(project, model)
        likely = near(known, made_on(request))
        for day in likely if only_likely else dict.fromkeys([*likely, *known]):
            files = current(files_in(day_folder(project, model, day)), "predictions")
            if found := [each for file in files for each in _in_file(file.path, request, row)]:
                yield from found
                break


def _in_file(path: Path, request: str, row: int) -> list[Prediction]:
    import pyarrow as pa
    import pyarrow.dataset as ds

    wanted = (ds.field("request") == request) & (ds.field("row") == row)
    try:
        table = ds.dataset(str(path), format="parquet").to_table(filter=wanted)
    except FileNotFoundError:
        return []
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"'{path}' of the prediction log cannot be read: {error}") from error
    return [_prediction(each) for each in table.to_pylist()]


def _told(project: Project, found: Prediction) -> tuple[tuple[Any, datetime], ...]:
    import pyarrow.compute as pc

    table = all_outcomes(day_folder(project, found.model, found.came.date()))
    mine = pc.and_(pc.equal(table["request"], found.request), pc.equal(table["row"], found.row))
    return tuple(
        (each["outcome"], each["outcome_came"].astimezone(UTC)) for each in table.filter(mine).to_pylist()
    )


def _prediction(row: Mapping[str, Any]) -> Prediction:
    own = {name: value for name, value in row.items() if not name.startswith((KEY, INPUT))}
    return Prediction(
        **{**own, "came": own["came"].astimezone(UTC)},
        keys={name.removeprefix(KEY): value for name, value in row.items() if name.startswith(KEY)},
        inputs={name.removeprefix(INPUT): value for name, value in row.items() if name.startswith(INPUT)},
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
