"""The audit trail and what belongs to versions, in the ledger's database: appended to by one at a time."""

from __future__ import annotations

import hashlib
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.errors import LedgerError, PromotionError
from workbench.ledger import Ledger
from workbench.locks import locked
from workbench.trail import Entry, sealed

_KEY = int.from_bytes(hashlib.sha256(b"workbench promotions").digest()[:8], "big", signed=True)
"""Of PostgreSQL's advisory lock: any number that nobody else is likely to use."""


def append(ledger: Ledger, draft: Entry) -> Entry:
    """Add an entry to the end of the trail. Raises LedgerError."""
    with ledger.writing() as connection:
        if connection.dialect.name == "postgresql":  # SQLite has taken its one write lock already
            connection.execute(sa.text("LOCK TABLE promotions IN SHARE ROW EXCLUSIVE MODE"))
        newest = sa.select(schema.promotions).order_by(schema.promotions.c.sequence.desc()).limit(1)
        last = connection.execute(newest).first()
        # Never before the entry before it, also when the clock was set back.
        created = max(time.time(), last.created if last else 0.0)
        entry = sealed(draft, Entry(**last._mapping) if last else None, created)
        connection.execute(schema.promotions.insert().values(vars(entry)))
    return entry


def entries(ledger: Ledger, model: str | None = None) -> list[Entry]:
    """The trail of one model, or all of it, the oldest first."""
    query = sa.select(schema.promotions).order_by(schema.promotions.c.sequence)
    if model is not None:
        query = query.where(schema.promotions.c.model == model)
    return [Entry(**row._mapping) for row in ledger.read(query)]


def newest(ledger: Ledger) -> tuple[int, str] | None:
    """Sequence and hash of the newest entry: the trail is what it was while they are; None for an empty trail."""
    table = schema.promotions
    query = sa.select(table.c.sequence, table.c.hash).order_by(table.c.sequence.desc()).limit(1)
    return next(((int(row.sequence), str(row.hash)) for row in ledger.read(query)), None)


@contextmanager
def exclusively(ledger: Ledger, model: str, timeout: float) -> Iterator[None]:
    """Be the only one, on all machines that share the ledger, who moves this model's champion.

    The lock goes with the process that holds it, so whoever gets it knows that an open move was cut short.
    Raises TimeoutError after `timeout` seconds.
    """
    if ledger.engine.dialect.name == "postgresql":
        with _advisory(ledger.engine, timeout):
            yield
        return
    database = Path(ledger.engine.url.database or "ledger.db")
    with locked(database.with_name(f"{database.name}.{urllib.parse.quote(model, safe='')}.lock"), timeout):
        yield


@contextmanager
def turn(ledger: Ledger, model: str, timeout: float, *, busy: str, broken: str) -> Iterator[None]:
    """The same, with a sentence for who waits in vain, and one for where there is no lock to be had.

    Raises PromotionError.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(exclusively(ledger, model, timeout))
        except TimeoutError as error:
            raise PromotionError(f"{busy}: {error}") from None
        except OSError as error:
            raise PromotionError(f"{broken}: {error}") from error
        yield


@contextmanager
def _advisory(engine: sa.Engine, timeout: float) -> Iterator[None]:
    """PostgreSQL frees the lock when the connection ends, which it does with the process."""
    deadline = time.monotonic() + timeout
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_KEY))):
                if time.monotonic() > deadline:
                    raise TimeoutError(
                        f"another process has been moving a champion for more than {timeout:g} s"
                    )
                time.sleep(0.05)
            try:
                yield
            finally:
                connection.scalar(sa.select(sa.func.pg_advisory_unlock(_KEY)))
    except sa.exc.SQLAlchemyError as error:
        raise LedgerError(schema.unusable(engine.url.render_as_string(), error)) from error


def attach(ledger: Ledger, model: str, version: int, file: str, digest: str) -> None:
    """Note the digest of a file that belongs to a version; a newer one of the same name replaces it."""
    table = schema.attachments
    mine = [table.c.model == model, table.c.version == version, table.c.file == file]
    row = {"model": model, "version": version, "file": file, "digest": digest, "created": time.time()}
    with ledger.writing() as connection:
        connection.execute(table.delete().where(*mine))
        connection.execute(table.insert().values(row))


def attached(ledger: Ledger, model: str, version: int) -> dict[str, str]:
    """Digest of each file that belongs to a version, by its name."""
    table = schema.attachments
    query = sa.select(table).where(table.c.model == model, table.c.version == version)
    return {row.file: row.digest for row in ledger.read(query.order_by(table.c.file))}
