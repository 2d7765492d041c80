"""Runs, their step runs, and the models that they deliver."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "runs",
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
    )
    op.create_index("runs_by_pipeline", "runs", ["pipeline", "started"])
    op.create_index("runs_by_state", "runs", ["state"])
    op.create_table(
        "step_runs",
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
        sa.Column("failure", sa.JSON),
        sa.Column("peak_memory", sa.BigInteger),
        sa.Column("notices", sa.JSON),
        sa.Column("mlflow_run", sa.String(64)),
        sa.Column("synced", sa.String(16)),
    )
    op.create_index("step_runs_by_step", "step_runs", ["step", "started"])
    op.create_index("step_runs_by_state", "step_runs", ["state"])
    op.create_table(
        "deliveries",
        sa.Column("model", sa.String(250), primary_key=True),
        sa.Column("digest", sa.String(128), primary_key=True),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("folder", sa.Text, nullable=False),
        sa.Column("evaluation", sa.Text),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer),
    )
    op.create_index("deliveries_by_state", "deliveries", ["state"])


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("step_runs")
    op.drop_table("runs")
