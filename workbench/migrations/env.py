"""Run by alembic: the ledger hands over its own connection, in a transaction and under a lock."""

from alembic import context

from workbench.ledger_schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
