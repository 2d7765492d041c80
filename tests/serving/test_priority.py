"""Work that gives way: how long it rests, by how much of the processors is left."""

from __future__ import annotations

from types import SimpleNamespace
from typing import NamedTuple

import pytest

from workbench.serving import priority
from workbench.serving.priority import LONGEST_REST, LOOK, RESTS, Leisure


class Times(NamedTuple):
    """Of all processors, as psutil has them."""

    user: float
    idle: float


@pytest.mark.parametrize(("busy", "rests"), [(0.2, False), (0.95, True)])
def test_it_rests_where_processors_are_scarce(
    monkeypatch: pytest.MonkeyPatch, busy: float, rests: bool
) -> None:
    now = 100.0
    monkeypatch.setattr(priority, "time", SimpleNamespace(monotonic=lambda: now))
    monkeypatch.setattr(priority.psutil, "cpu_times", lambda: Times(busy * now, (1 - busy) * now))
    leisure = Leisure()
    leisure.rest(0.0)
    now += LOOK
    assert leisure.rest(0.01) == (pytest.approx(0.01 * RESTS) if rests else 0.0)
    assert leisure.rest(60.0) == (LONGEST_REST if rests else 0.0)
