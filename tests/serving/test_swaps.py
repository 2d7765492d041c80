"""The champion moves while the engine answers: real versions, the real trail."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, WITHOUT_CONTRACT
from tests.serving.parts import Kept, Reviewer, one, refused, running, until
from workbench.ledger import Ledger
from workbench.ledger_schema import database_file
from workbench.registry import place
from workbench.serving.engine import Engine
from workbench.settings import Project


def folder_of(project: Project, version: int) -> Path:
    with Ledger.open(project) as ledger:
        folder = place(project, ledger, MODEL, version).folder
    assert folder is not None
    return folder


async def asking(engine: Engine, over: asyncio.Event, seen: list[int]) -> None:
    """One client that asks until it is over; notes the versions that answered it."""
    seed = 0
    while not over.is_set():
        seed += 1
        seen.append((await engine.ask(one(seed))).version)


def test_a_promotion_takes_over_without_a_failed_request_and_never_back(
    scoring: Project, reviewer: Reviewer
) -> None:
    log, seen = Kept(), [[] for _ in range(8)]

    async def promote_while_they_ask() -> None:
        over = asyncio.Event()
        async with running(scoring, log) as engine:
            clients = [asyncio.ensure_future(asking(engine, over, each)) for each in seen]
            await until(engine, lambda _: len(log.entries) > 20)
            await asyncio.to_thread(reviewer.promote, LOGISTIC)
            await until(engine, lambda now: now.version == LOGISTIC)
            enough = len(log.entries) + 20
            await until(engine, lambda _: len(log.entries) > enough)
            over.set()
            await asyncio.gather(*clients)

    asyncio.run(promote_while_they_ask())
    for versions in seen:
        assert versions == sorted(versions)  # 5, then 7
    assert [entry.version for entry in log.entries] == sorted(entry.version for entry in log.entries)
    assert {entry.version for entry in log.entries} == {WITH_CONTRACT, LOGISTIC}


def test_a_rollback_takes_the_version_that_is_still_held(scoring: Project, reviewer: Reviewer) -> None:
    async def back_and_forth() -> None:
        async with running(scoring) as engine:
            first = engine._models[MODEL].cast.champion
            await asyncio.to_thread(reviewer.promote, LOGISTIC)
            await until(engine, lambda now: now.version == LOGISTIC)
            shutil.rmtree(folder_of(scoring, WITH_CONTRACT) / "model.skops", ignore_errors=True)
            await asyncio.to_thread(reviewer.rollback)
            await until(engine, lambda now: now.version == WITH_CONTRACT)
            assert engine._models[MODEL].cast.champion is first

    asyncio.run(back_and_forth())


def test_files_that_were_changed_are_not_served_until_they_are_right(
    scoring: Project, reviewer: Reviewer
) -> None:
    file = folder_of(scoring, LOGISTIC) / "notes.txt"
    good = file.read_bytes()

    def spoil(write: str) -> None:
        if write == "done":  # the promotion has verified them by now
            file.chmod(0o644)
            file.write_bytes(b"another")

    async def promote_and_spoil() -> None:
        async with running(scoring) as engine:
            await asyncio.to_thread(reviewer.promote, LOGISTIC, spoil)
            now = await until(engine, lambda now: now.alert != "")
            assert (now.version, now.ready) == (WITH_CONTRACT, True)
            assert (
                f"version {LOGISTIC} cannot serve as champion, version {WITH_CONTRACT} goes on" in now.alert
            )
            assert "are not those that were registered" in now.alert
            assert (await engine.ask(one())).version == WITH_CONTRACT
            file.write_bytes(good)
            now = await until(engine, lambda now: now.version == LOGISTIC)
            assert now.alert == ""

    asyncio.run(promote_and_spoil())


def test_a_version_without_a_contract_is_not_served(scoring: Project, reviewer: Reviewer) -> None:
    async def promote() -> None:
        async with running(scoring) as engine:
            await asyncio.to_thread(reviewer.promote, WITHOUT_CONTRACT)
            now = await until(engine, lambda now: now.alert != "")
            assert now.version == WITH_CONTRACT
            assert "has no contract to hold the input against" in now.alert

    asyncio.run(promote())


def test_a_contract_that_cannot_be_read_is_not_served(scoring: Project, reviewer: Reviewer) -> None:
    async def promote() -> None:
        async with running(scoring) as engine:
            await asyncio.to_thread(reviewer.promote, 4)
            now = await until(engine, lambda now: now.alert != "")
            assert (now.version, now.ready) == (WITH_CONTRACT, True)
            assert "version 4 cannot serve as champion" in now.alert

    asyncio.run(promote())


def test_a_retired_champion_answers_no_more(scoring: Project, reviewer: Reviewer) -> None:
    async def retire() -> None:
        async with running(scoring) as engine:
            await asyncio.to_thread(reviewer.retire, WITH_CONTRACT)
            now = await until(engine, lambda now: not now.ready)
            assert now.version is None
            assert (await refused(engine, one())).reason == "not-ready"
            await asyncio.to_thread(reviewer.promote, LOGISTIC)
            await until(engine, lambda now: now.ready)
            assert (await engine.ask(one())).version == LOGISTIC

    asyncio.run(retire())


def test_without_ledger_and_files_the_last_good_copy_goes_on(scoring: Project, reviewer: Reviewer) -> None:
    database = database_file(scoring.ledger_url)
    assert database is not None
    files = [database.with_name(database.name + ending) for ending in ("", "-wal", "-shm")]
    away = scoring.root / "away"
    away.mkdir()

    async def lose_everything() -> None:
        async with running(scoring) as engine:
            shutil.rmtree(scoring.state / "artifacts" / "registry")
            reviewer.close()
            for file in files:
                if file.exists():
                    file.rename(away / file.name)
            now = await until(engine, lambda now: now.alert != "")
            assert (now.version, now.ready) == (WITH_CONTRACT, True)
            assert "cannot be read" in now.alert
            assert (await engine.ask(one())).version == WITH_CONTRACT
            assert not database.exists()
            with Ledger.open(scoring):  # somebody makes a new one: it does not say what the old one said
                pass
            now = await until(engine, lambda now: "was cut or replaced" in now.alert)
            assert (await engine.ask(one(2))).version == WITH_CONTRACT
            for file in files:
                file.unlink(missing_ok=True)
            for file in away.iterdir():
                file.rename(database.with_name(file.name))
            await until(engine, lambda now: now.alert == "")

    asyncio.run(lose_everything())


def test_a_worker_that_begins_without_the_ledger_serves_what_served_last(
    scoring: Project, reviewer: Reviewer
) -> None:
    database = database_file(scoring.ledger_url)
    assert database is not None

    async def begin_twice() -> None:
        async with running(scoring) as engine:
            assert engine.models()[MODEL].version == WITH_CONTRACT
        reviewer.close()
        for ending in ("", "-wal", "-shm"):
            database.with_name(database.name + ending).unlink(missing_ok=True)
        async with running(scoring) as engine:
            now = engine.models()[MODEL]
            assert (now.version, now.ready) == (WITH_CONTRACT, True)
            assert "cannot be read" in now.alert
            assert (await engine.ask(one())).version == WITH_CONTRACT
        with Ledger.open(scoring):  # a new one, which knows of no champion: the marker does
            pass
        async with running(scoring) as engine:
            now = engine.models()[MODEL]
            assert (now.version, now.ready) == (WITH_CONTRACT, True)
            assert "was cut or replaced" in now.alert
        notes = folder_of_note(scoring)
        notes.chmod(0o644)
        notes.write_text("changed")
        async with running(scoring) as engine:
            now = engine.models()[MODEL]
            assert (now.version, now.ready) == (None, False)
            assert "what served last cannot serve" in now.alert

    asyncio.run(begin_twice())


def folder_of_note(project: Project) -> Path:
    """A file of the version that served last."""
    noted = json.loads((project.store / "served" / f"{MODEL}.json").read_text())
    return project.root / noted["folder"] / "notes.txt"
