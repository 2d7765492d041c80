"""The ledger's tables, and how a database gets them: SQLite in the project's folder, or PostgreSQL by URL.

All times are seconds since the epoch (UTC), as floats, like the times of events: they compare and subtract
without zones, and both databases keep them exactly.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from workbench.errors import LedgerError
from workbench.locks import locked

HEAD = "0003"
"""The newest revision in `workbench/migrations`; a test holds the two together. Alembic takes 0.2 s to
import, and almost every start finds its tables as they should be."""

BUSY_SECONDS = 20.0
"""How long a reader or writer waits for a database that another process has locked, if nobody says otherwise."""

metadata = sa.MetaData()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("steps", sa.JSON, nullable=False),
    sa.Column("workers", sa.Integer, nullable=False),
    sa.Column("git_commit", sa.String(64)),
    sa.Column("git_dirty", sa.Boolean),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("finished", sa.Double),
    sa.Column("seconds", sa.Double),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_started", sa.Double, nullable=False),
    sa.Column("heartbeat", sa.Double, nullable=False),
    sa.Column("mlflow_run", sa.String(64)),
    sa.Column("synced", sa.String(16)),
    sa.Index("runs_by_pipeline", "pipeline", "started"),
    sa.Index("runs_by_state", "state"),
)

step_runs = sa.Table(
    "step_runs",
    metadata,
    sa.Column("run", sa.String(64), sa.ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("step", sa.String(400), primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("fingerprint", sa.String(128)),
    sa.Column("notebook", sa.Text),
    sa.Column("executed", sa.Text),
    sa.Column("parameters", sa.JSON),
    sa.Column("inputs", sa.JSON),
    sa.Column("outputs", sa.JSON),
    sa.Column("started", sa.Double),
    sa.Column("finished", sa.Double),
    sa.Column("seconds", sa.Double),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("cells", sa.Integer, nullable=False, server_default="0"),
    sa.Column("tracked", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("failure", sa.JSON(none_as_null=True)),
    sa.Column("peak_memory", sa.BigInteger),
    sa.Column("notices", sa.JSON),
    sa.Column("mlflow_run", sa.String(64)),
    sa.Column("synced", sa.String(16)),
    sa.Index("step_runs_by_step", "step", "started"),
    sa.Index("step_runs_by_state", "state"),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("model", sa.String(250), primary_key=True),
    sa.Column("digest", sa.String(128), primary_key=True),
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False),
    sa.Column("evaluation", sa.Text),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("author", sa.Text),
    sa.Column("attachments", sa.JSON(none_as_null=True)),
    sa.Index("deliveries_by_state", "state"),
)

attachments = sa.Table(
    "attachments",
    metadata,
    sa.Column("model", sa.String(250), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("file", sa.String(250), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
)

verdicts = sa.Table(
    "verdicts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(250), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("run", sa.String(64)),
    sa.Column("passed", sa.Boolean, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("champion_version", sa.Integer),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Index("verdicts_by_version", "model", "version"),
)

promotions = sa.Table(
    "promotions",
    metadata,
    sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("model", sa.String(250), nullable=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("replaces", sa.Integer),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("refers", sa.Integer, unique=True),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Column("previous", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Index("promotions_by_model", "model", "sequence"),
)
"""The audit trail (see trail). The database itself refuses to change or delete its rows, and those of `verdicts`."""

windows = sa.Table(
    "windows",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(250), nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sa.Column("refused", sa.Text, nullable=False, server_default=""),
    sa.Column("content", sa.JSON, nullable=False),
    sa.UniqueConstraint("model", "version", "since", "until"),
    sa.Index("windows_by_model", "model", "until"),
)
"""What monitoring saw; a window that is judged again, as when outcomes came, replaces what it was. `refused` says why it
was not judged."""

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("model", sa.String(250), nullable=False),
    sa.Column("version", sa.Integer),
    sa.Column("monitor", sa.String(32), nullable=False),
    sa.Column("subject", sa.String(250), nullable=False, server_default=""),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("opened", sa.Double, nullable=False),
    sa.Column("changed", sa.Double, nullable=False),
    sa.Column("acknowledged", sa.Double),
    sa.Column("acknowledged_by", sa.Text),
    sa.Column("resolved", sa.Double),
    sa.Column("resolved_by", sa.Text),
    sa.Column("window", sa.Integer, sa.ForeignKey("windows.id", ondelete="SET NULL")),
    sa.Column("content", sa.JSON, nullable=False),
    sa.Index("alerts_by_model", "model", "opened"),
    sa.Index(
        "one_alert_at_a_time", "model", "monitor", "subject",
        unique=True,
        sqlite_where=sa.text("state <> 'resolved'"),
        postgresql_where=sa.text("state <> 'resolved'"),
    ),
)  # fmt: skip
"""An alert is `open`, `acknowledged` or `resolved`; one model, monitor and subject has at most one that is not."""

notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("alert", sa.Integer, sa.ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False),
    sa.Column("event", sa.String(16), nullable=False),
    sa.Column("channel", sa.String(250), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("finished", sa.Double),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    sa.UniqueConstraint("alert", "event", "channel"),
)
"""What is to be told to whom: written with the alert's change, in the same transaction."""

requests = sa.Table(
    "requests",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("pipeline", sa.Text, nullable=False),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("trigger", sa.String(250)),
    sa.Column("cause", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("not_before", sa.Double, nullable=False),
    sa.Column("started", sa.Double),
    sa.Column("finished", sa.Double),
    sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    sa.Column("owner", sa.Text),
    sa.Column("run", sa.String(64)),
    sa.Column("message", sa.Text, nullable=False, server_default=""),
    sa.Column("cancelled_by", sa.Text),
    sa.Index("requests_by_state", "state", "not_before"),
    sa.Index("requests_by_trigger", "pipeline", "trigger", "created"),
    sa.Index("requests_by_run", "run"),
)
"""The queue: a run that was asked for is `waiting`, `running`, `done`, `failed` or `cancelled`. While it runs, `owner` is
the process that runs it; `cancelled_by` is set before that process has ended."""

slots = sa.Table(
    "slots",
    metadata,
    sa.Column("pipeline", sa.String(250), primary_key=True),
    sa.Column("trigger", sa.String(250), primary_key=True),
    sa.Column("due", sa.Double, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("request", sa.Integer, sa.ForeignKey("requests.id", ondelete="SET NULL")),
    sa.Column("created", sa.Double, nullable=False),
)
"""Due times of schedules, each once: `requested` or `skipped`, with the reason."""

triggers = sa.Table(
    "triggers",
    metadata,
    sa.Column("pipeline", sa.String(250), primary_key=True),
    sa.Column("trigger", sa.String(250), primary_key=True),
    sa.Column("first_seen", sa.Double, nullable=False),
    sa.Column("checked", sa.Double, nullable=False),
    sa.Column("fired", sa.Double),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("paused", sa.Double),
    sa.Column("paused_by", sa.Text),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("seen", sa.JSON, nullable=False),
)
"""What is known of each trigger: when it fired last, why it did or did not, what it had seen then."""

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_started", sa.Double, nullable=False),
    sa.Column("until", sa.Double, nullable=False),
)
"""Who is the one that does it now, until when."""


def connect(url: str, lock: Path, patience: float = BUSY_SECONDS) -> sa.Engine:
    """An engine on a database that has the tables of this version. `patience`: seconds to wait where it is locked.

    Raises LedgerError when the database cannot be opened or written, or a newer version made it.
    """
    try:
        address = sa.make_url(url)
        engine = _engine(address, patience)
    except (sa.exc.ArgumentError, ImportError, sa.exc.NoSuchModuleError) as error:
        raise LedgerError(f"[ledger] url '{url}' cannot be used: {error}") from error
    shown = address.render_as_string(hide_password=True)
    try:
        if address.database and address.get_backend_name() == "sqlite":
            Path(address.database).parent.mkdir(parents=True, exist_ok=True)
        if not _current(engine, patience):
            with locked(lock):
                _migrate(engine, shown)
    except LedgerError:
        engine.dispose()
        raise
    except (sa.exc.DBAPIError, OSError) as error:
        engine.dispose()
        raise LedgerError(unusable(address.database or shown, error)) from error
    return engine


def database_file(url: str) -> Path | None:
    """The file of an SQLite database; None for a database on a server."""
    address = sa.make_url(url)
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


def revision(engine: sa.Engine) -> str | None:
    """The revision that the database is at; None when it has no tables yet."""
    with engine.connect().execution_options(reading=True) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return None if found is None else str(found)


def unusable(place: str, error: Exception) -> str:
    """One sentence that says why the database cannot be used and what to do."""
    text = str(getattr(error, "orig", None) or error)
    if "not a database" in text or "malformed" in text:
        return (
            f"the ledger '{place}' is damaged ({text}); move it aside and a new one is made: "
            f"mv '{place}' '{place}.damaged'"
        )
    if "readonly" in text or "unable to open" in text or isinstance(error, PermissionError):
        return f"the ledger '{place}' cannot be written ({text}); check the permissions of its folder"
    if "full" in text:
        return f"the ledger '{place}' cannot be written ({text}); free some disk space"
    if "locked" in text:
        return f"the ledger '{place}' is locked by another process ({text}); try again when that has ended"
    return (
        f"the ledger '{place}' cannot be used ({text.strip().splitlines()[0] if text.strip() else error!r})"
    )


def _engine(address: sa.URL, patience: float) -> sa.Engine:
    if address.get_backend_name() != "sqlite":
        return sa.create_engine(address, json_serializer=_json, pool_pre_ping=True)
    engine = sa.create_engine(address, json_serializer=_json, connect_args={"timeout": patience})

    def prepare(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where _begin says, not where sqlite3 guesses
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: sa.Connection) -> None:
        # A transaction that reads first and then writes fails at once when another wrote in between;
        # one that takes the write lock at its start waits for it.
        reading = connection.get_execution_options().get("reading", False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    sa.event.listen(engine, "connect", prepare)
    sa.event.listen(engine, "begin", begin)
    return engine


def _current(engine: sa.Engine, patience: float) -> bool:
    """Whether nothing is to be done. Two first comers disturb each other here (one turns WAL on), at once: then no.

    Who has waited in vain is not to wait once more.
    """
    began = time.monotonic()
    try:
        return revision(engine) == HEAD
    except sa.exc.OperationalError:
        if time.monotonic() - began >= patience:
            raise
        return False


def _migrate(engine: sa.Engine, shown: str) -> None:
    """Bring the tables to this version; the caller holds the lock, so the first comer does it."""
    at = revision(engine)
    if at == HEAD:
        return
    if at is not None and at > HEAD:
        raise LedgerError(
            f"the ledger '{shown}' was written by a newer version of workbench (its schema is {at}, this one "
            f"knows {HEAD}); upgrade with: pip install --upgrade notebook-workbench"
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _json(value: object) -> str:
    return json.dumps(value, default=str)
