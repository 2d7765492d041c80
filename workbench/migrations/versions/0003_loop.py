"""What monitoring saw, alerts and whom they are told, and the queue with schedules and triggers."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "windows",
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
    )
    op.create_index("windows_by_model", "windows", ["model", "until"])
    op.create_table(
        "alerts",
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
    )
    op.create_index("alerts_by_model", "alerts", ["model", "opened"])
    unresolved = sa.text("state <> 'resolved'")
    op.create_index(
        "one_alert_at_a_time", "alerts", ["model", "monitor", "subject"],
        unique=True, sqlite_where=unresolved, postgresql_where=unresolved,
    )  # fmt: skip
    op.create_table(
        "notifications",
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
    op.create_table(
        "requests",
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
    )
    op.create_index("requests_by_state", "requests", ["state", "not_before"])
    op.create_index("requests_by_trigger", "requests", ["pipeline", "trigger", "created"])
    op.create_index("requests_by_run", "requests", ["run"])
    op.create_table(
        "slots",
        sa.Column("pipeline", sa.String(250), primary_key=True),
        sa.Column("trigger", sa.String(250), primary_key=True),
        sa.Column("due", sa.Double, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("request", sa.Integer, sa.ForeignKey("requests.id", ondelete="SET NULL")),
        sa.Column("created", sa.Double, nullable=False),
    )
    op.create_table(
        "triggers",
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
    op.create_table(
        "leases",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_started", sa.Double, nullable=False),
        sa.Column("until", sa.Double, nullable=False),
    )


def downgrade() -> None:
    for table in ("leases", "triggers", "slots", "requests", "notifications", "alerts", "windows"):
        op.drop_table(table)
