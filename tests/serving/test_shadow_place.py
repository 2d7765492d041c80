"""When the process that asks shadows runs. Here it is another program; the real one is in tests/e2e/test_shadow.py."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from workbench.challengers import challengers_file
from workbench.champions import write_marker
from workbench.serving.shadow_note import Note, shadow_note, write_note
from workbench.serving.shadow_place import ShadowPlace
from workbench.settings import Project

MODEL = "m"


class Place(ShadowPlace):
    """A place whose clock does not have to be waited for, and whose process does what it is told."""

    def __init__(self, project: Project) -> None:
        self.begun: list[subprocess.Popen[bytes]] = []
        self.said: list[str] = []
        self.program = "import time; time.sleep(600)"
        super().__init__(project, (MODEL,), self.begin, self.said.append)

    def begin(self) -> subprocess.Popen[bytes]:
        self.begun.append(subprocess.Popen([sys.executable, "-c", self.program]))
        return self.begun[-1]

    def look(self, *, later: bool = False) -> int | None:
        """`later`: whatever is due some time is due now."""
        self.next = 0.0
        if later:
            self._again = 0.0
        return self.look_after()

    def ended(self) -> int | None:
        """What is said when the process has ended."""
        self.begun[-1].wait()
        return self.look()


@pytest.fixture
def place(project: Project) -> Iterator[Place]:
    found = Place(project)
    yield found
    found.kill()


@pytest.fixture
def mark(project: Project) -> Callable[[int | None, int], None]:
    """Have the marker say that this version is the shadow since that entry of the trail."""

    def write(shadow: int | None, sequence: int) -> None:
        content = {"model": MODEL, "canary": 3, "share": 0.1, "shadow": shadow, "sequence": sequence}
        write_marker(challengers_file(project, MODEL), content)

    return write


Mark = Callable[[int | None, int], None]


def test_nothing_runs_without_a_shadow_and_one_process_with_one(place: Place, mark: Mark) -> None:
    place.look()
    mark(None, 1)  # a canary alone
    place.look()
    assert place.begun == []
    mark(7, 2)
    for _ in range(3):
        place.look()
    assert len(place.begun) == 1
    place.kill()
    assert place.process is None
    assert place.begun[0].returncode == -9


def test_a_marker_of_which_the_trail_knows_nothing_is_not_believed_until_it_changes(
    place: Place, mark: Mark
) -> None:
    place.program = "pass"
    mark(7, 2)
    place.look()
    assert place.ended() == place.begun[0].pid
    place.look(later=True)
    assert (len(place.begun), place.said) == (1, [])
    mark(7, 5)
    place.look()
    assert len(place.begun) == 2


def test_one_that_dies_is_started_again_more_and_more_rarely_and_workers_are_told(
    place: Place, mark: Mark, project: Project
) -> None:
    place.program = "import os; os.kill(os.getpid(), 11)"
    mark(7, 2)
    place.look()
    write_note(project, MODEL, Note(2, place.begun[0].pid, 7, scored=4))
    place.ended()
    place.look()
    assert len(place.begun) == 1  # not yet
    told = (
        f"what asks shadows (process {place.begun[0].pid}) died: killed by signal 11; starts again in 0.5 s"
    )
    assert place.said == [told]
    assert shadow_note(project, MODEL) == Note(2, place.begun[0].pid, None, scored=4, alert=told)
    other = Note(2, 1, 7)  # another server's
    write_note(project, MODEL, other)
    for _ in range(9):
        place.look(later=True)
        place.ended()
    assert len(place.begun) == 10
    assert [line.rpartition(" in ")[2] for line in place.said[1:]] == [
        "1 s", "2 s", "4 s", "8 s", "16 s", "32 s", "60 s", "60 s", "60 s",
    ]  # fmt: skip
    assert shadow_note(project, MODEL) == other
