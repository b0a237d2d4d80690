"""Run the steps on the connection that the caller gives, inside its transaction."""

from alembic import context


def _run() -> None:
    connection = context.config.attributes["connection"]
    # one transaction around all steps, ours: a crash half-way leaves the old schema
    context.configure(connection=connection, transactional_ddl=False)
    context.run_migrations()


_run()
