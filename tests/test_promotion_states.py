"""Any sequence of promotions, rollbacks, kills and aliases moved by others leaves trail, alias and marker in
agreement. The alias is in memory here; what it does in MLflow is tested in test_promotion."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.promoters import WRITES
from tests.registered import MODEL, VERSIONS
from workbench import ledger_trail
from workbench.champions import champion_marker
from workbench.errors import PromotionError
from workbench.ledger import Ledger
from workbench.promotion import Actor, Promotions, trail_problems
from workbench.setting_keys import ROLES
from workbench.settings import read_project

ADA = Actor("ada", frozenset(ROLES))
VERSION = st.sampled_from(VERSIONS)
KILL = st.none() | st.sampled_from(WRITES)


class Killed(BaseException):
    """The process ends here."""


class MemoryAliases:
    def __init__(self) -> None:
        self.at: int | None = None

    def get(self, model: str) -> int | None:
        return self.at

    def set(self, model: str, version: int | None) -> None:
        self.at = version


class Moves(RuleBasedStateMachine):
    """A model of the promotions: who is champion, who was retired, what was promoted in place of what."""

    template: Path

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name) / "project"
        shutil.copytree(self.template, root)
        project = read_project(root)
        self.promotions = Promotions(project, Ledger.open(project), MemoryAliases())
        self.champion: int | None = None
        self.were: set[int] = set()
        self.retired: set[int] = set()
        self.overridden: set[int] = set()
        self.entries = 0

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.promotions.ledger.close()
            self.folder.cleanup()

    @rule(version=VERSION, kill=KILL, override=st.booleans())
    def promote(self, version: int, kill: str | None, override: bool) -> None:
        if not override:
            self.promotions.ledger.record_verdict(
                MODEL, version, passed=True, outcome="ok", content={}, champion_version=self.champion
            )
        judged = self.promotions.ledger.verdict(MODEL, version)
        fresh = judged is not None and judged.champion_version == self.champion
        allowed = version not in self.retired and (version != self.champion or self.astray)
        took_effect = self._do(allowed, version, kill, "promote", version, override=override)
        if took_effect and override and not fresh:
            self.overridden.add(version)

    @rule(to=VERSION, kill=KILL)
    def roll_back(self, to: int, kill: str | None) -> None:
        known = to in self.were if to != self.champion else self.astray
        self._do(known and to not in self.retired, to, kill, "rollback", to=to)

    @rule(version=VERSION, kill=KILL)
    def retire(self, version: int, kill: str | None) -> None:
        allowed = version not in self.retired
        if version == self.champion:
            if self._do(allowed, None, kill, "retire", version):
                self.retired.add(version)
        else:
            self._do(allowed, self.champion, None, "retire", version)
            self.retired.add(version)

    @rule(version=st.none() | VERSION)
    def somebody_moves_the_alias(self, version: int | None) -> None:
        self.promotions.aliases.set(MODEL, version)
        now = self.promotions.look(MODEL)
        assert (now.foreign is not None) == (version != self.champion)

    @rule(expected=st.none() | VERSION)
    def be_late(self, expected: int | None) -> None:
        if expected != self.champion:
            with pytest.raises(PromotionError, match="you decided with"):
                self.promotions.rollback(MODEL, ADA, reason="x", expected=expected)

    @invariant()
    def all_agree(self) -> None:
        now = self.promotions.look(MODEL)
        marker = champion_marker(self.promotions.project, MODEL)
        assert now.pending is None
        assert now.champion == self.champion == (marker.version if marker else None)
        assert now.alias == self.promotions.aliases.get(MODEL)
        assert set(now.retired) == self.retired
        assert set(now.overrides) == self.overridden
        assert now.previous is None or now.previous in self.were - self.retired
        assert trail_problems(self.promotions.project, self.promotions.ledger) == []
        count = len(ledger_trail.entries(self.promotions.ledger))
        assert count >= self.entries
        self.entries = count

    @property
    def astray(self) -> bool:
        return self.promotions.look(MODEL).foreign is not None

    def _do(
        self, allowed: bool, target: int | None, kill: str | None, name: str, *arguments: Any, **more: Any
    ) -> bool:
        """Do a move, perhaps dying before one of its writes; whether it took effect, which is known beforehand.

        One that dies before it moves the alias counts all the same where somebody had moved the alias there already.
        """

        def before(write: str) -> None:
            if write == kill:
                raise Killed

        was_there = self.promotions.aliases.get(MODEL) == target
        act = getattr(self.promotions, name)
        more |= {"expected": self.champion, "reason": "because"}
        if name != "retire" or arguments[0] == self.champion:
            more["before"] = before
        try:
            act(MODEL, *(() if name == "rollback" else arguments), ADA, **more)
        except PromotionError:
            assert not allowed
            return False
        except Killed:
            assert allowed
            if not (kill in ("done", "marker") or (kill == "alias" and was_there)):
                return False
        assert allowed
        self.champion = target
        self.were |= {target} if target is not None else set()
        return True


def test_whatever_happens_all_agree(registered_once: Path) -> None:
    Moves.template = registered_once
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        Moves,
        settings=settings(
            max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
