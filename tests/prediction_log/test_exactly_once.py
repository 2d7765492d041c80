"""Every prediction exactly once: whatever is done in whatever order, and whoever is killed meanwhile."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.logged import DAY, MODEL, NOON, entry, ids
from workbench.prediction_log.compaction import Limits, compact, steps
from workbench.prediction_log.files import hidden
from workbench.prediction_log.finding import find
from workbench.prediction_log.labels import Labelling
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.outcomes import add_outcomes
from workbench.prediction_log.places import all_days, day_of
from workbench.prediction_log.reading import read
from workbench.settings import Project, read_project

FOR_EVER, NOT_AT_ALL = 1e12, -1e12


def small(grace: float) -> Limits:
    return Limits(rows=5, small_rows=12, many=3, grace=grace)


class Log(RuleBasedStateMachine):
    """The log against a list of what was acknowledged."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Path(tempfile.mkdtemp())
        (self.root / "workbench.toml").write_text('[project]\nname = "demo"\n')
        self.project: Project = read_project(self.root)
        self.log = PredictionLog.open(self.project)
        self.rows: dict[str, dict[str, float]] = {"m": {}, "n": {}}
        self.labels: dict[str, dict[str, float]] = {"m": {}, "n": {}}
        self.readers: list[tuple[Any, dict[str, float]]] = []
        self.number = 0

    @rule(
        many=st.integers(1, 4), rows=st.integers(1, 3), model=st.sampled_from(["m", "n"]), day=st.integers(0, 2),
        version=st.integers(1, 3),
    )  # fmt: skip
    def append(self, many: int, rows: int, model: str, day: int, version: int) -> None:
        entries = []
        for _ in range(many):
            self.number += 1
            plain = entry(self.number, rows)
            # Each version has other columns, and one has a number where others have a text.
            inputs: Any = {
                "x": plain.inputs["x"],
                f"only_{version}": [1.5] * rows,
                "k": [version if version == 2 else "a"] * rows,
            }
            entries.append(
                entry(self.number, rows, model=model, came=NOON + day * DAY, version=version, inputs=inputs)
            )
        self.log.append(entries)
        for each in entries:
            self.rows[model] |= dict(zip(ids(each), map(float, each.probabilities), strict=True))

    @rule(days_later=st.integers(0, 3))
    def compact(self, days_later: int) -> None:
        grace = FOR_EVER if self.readers else NOT_AT_ALL
        compact(self.project, small(grace), NOON + days_later * DAY)

    @rule(after=st.integers(0, 12), days_later=st.integers(0, 3))
    def compact_and_die(self, after: int, days_later: int) -> None:
        grace = FOR_EVER if self.readers else NOT_AT_ALL
        going = steps(self.project, small(grace), NOON + days_later * DAY)
        list(islice(going, after))
        going.close()  # type: ignore[attr-defined]

    @rule()
    def leave_what_a_killed_compaction_leaves(self) -> None:
        for _, _, files in all_days(self.project):
            for file in files:
                hidden(file.path).write_bytes(b"half a file")

    @rule()
    def another_process(self) -> None:
        self.log.close()
        self.log = PredictionLog.open(self.project)

    @precondition(lambda self: self.rows["m"] or self.rows["n"])
    @rule(data=st.data(), label=st.integers(0, 1))
    def add_outcome(self, data: st.DataObject, label: int) -> None:
        model = data.draw(st.sampled_from([name for name in self.rows if self.rows[name]]))
        chosen = data.draw(
            st.lists(st.sampled_from(sorted(self.rows[model])), min_size=1, max_size=3, unique=True)
        )
        said = add_outcomes(
            self.project, model, {"id": chosen, "late": [label] * len(chosen)}, labelling=Labelling("late")
        )
        before = [self.labels[model].get(each) for each in chosen]
        assert said.added == before.count(None)
        assert said.known == before.count(label)
        assert said.replaced == before.count(1 - label)
        assert said.unknown == 0
        self.labels[model] |= dict.fromkeys(chosen, float(label))

    @precondition(lambda self: self.rows["m"])
    @rule()
    def begin_to_read(self) -> None:
        self.readers.append((read(self.project, "m", columns=["id", "probability"]), dict(self.rows["m"])))

    @precondition(lambda self: self.readers)
    @rule()
    def finish_reading(self) -> None:
        """What was there at its beginning, once; what came since may not be there."""
        reader, expected = self.readers.pop(0)
        table = reader.read_all()
        found = table["id"].to_pylist()
        assert Counter(found) == Counter(expected.keys())

    @precondition(lambda self: self.rows["m"])
    @rule(data=st.data())
    def find_one(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(sorted(self.rows["m"])))
        found = find(self.project, chosen)
        assert (found.id, found.probability, found.outcome) == (
            chosen,
            self.rows["m"][chosen],
            self.labels["m"].get(chosen),
        )

    @invariant()
    def everything_is_there_once(self) -> None:
        for model, expected in self.rows.items():
            if not expected:
                continue
            table = read(
                self.project, model, columns=["id", "probability", "outcome", "came"], outcomes=True
            ).read_all()
            found = table["id"].to_pylist()
            assert Counter(found) == Counter(expected.keys())
            assert dict(zip(found, table["probability"].to_pylist(), strict=True)) == expected
            told = {
                name: label
                for name, label in zip(found, table["outcome"].to_pylist(), strict=True)
                if label is not None
            }
            assert told == self.labels[model]

    def teardown(self) -> None:
        self.readers.clear()
        self.log.close()
        shutil.rmtree(self.root)


TestLog = Log.TestCase
TestLog.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


WRITER = """\
import sys
from pathlib import Path
from tests.logged import DAY, NOON, entry
from workbench.prediction_log.log import PredictionLog
from workbench.settings import read_project
first = int(sys.argv[2])
with PredictionLog.open(read_project(Path(sys.argv[1]))) as log:
    for number in range(first, first + 100_000, 2):
        log.append([entry(number, came=NOON + number % 3 * DAY), entry(number + 1, 2)])
        print(number, flush=True)
"""

COMPACTER = """\
import sys
from pathlib import Path
from workbench.prediction_log.compaction import Limits, compact
from workbench.settings import read_project
project = read_project(Path(sys.argv[1]))
print("begun", flush=True)
while True:
    compact(project, Limits(rows=7, small_rows=40, many=3, grace=-1e9))
"""


def start(code: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]
    )


def test_killed_at_any_moment(project: Project) -> None:
    """Two writers and a compaction are killed at once, over and over: what was acknowledged is there once."""
    acknowledged: list[int] = []
    for round_ in range(4):
        writers = [
            start(WRITER, str(project.root), str(round_ * 1_000_000 + each * 200_000)) for each in range(2)
        ]
        compacter = start(COMPACTER, str(project.root))
        for process in (*writers, compacter):
            assert process.stdout
            process.stdout.readline()
        acknowledged += [round_ * 1_000_000 + each * 200_000 for each in range(2)]
        time.sleep(0.05 * (round_ + 1))  # not a wait for something: the moment of the kill
        for process in (compacter, *writers):
            process.send_signal(signal.SIGKILL)
        for process in (*writers, compacter):
            rest, _ = process.communicate()
            if process is not compacter:
                acknowledged += [int(line) for line in rest.split("\n")[:-1]]
    found = Counter(read(project, MODEL, columns=["id"]).read_all()["id"].to_pylist())
    expected = [
        each for number in acknowledged
        for each in (*ids(entry(number, came=NOON + number % 3 * DAY)), *ids(entry(number + 1, 2)))
    ]  # fmt: skip
    assert len(expected) > 100
    assert set(expected) <= set(found)
    assert set(found.values()) == {1}
    compact(project, small(NOT_AT_ALL), NOON + 9 * DAY)
    after = Counter(read(project, MODEL, columns=["id"]).read_all()["id"].to_pylist())
    assert after == found
    assert {day for _, day, _ in all_days(project)} == {day_of(NOON + each * DAY) for each in range(3)}
