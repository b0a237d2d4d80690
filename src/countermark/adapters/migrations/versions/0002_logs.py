"""Transparency logs: their states, which entries they have, and the bodies that lie in no full tile yet."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_HASH, _TERM = 32, 16  # bytes


def upgrade() -> None:
    """Create the tables; those with a row per entry are kept in the order of their keys where that can be said."""
    op.create_table(
        "logs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("root", sa.LargeBinary(_HASH), nullable=False),
        sa.Column("settled", sa.BigInteger, nullable=False),
        sa.Column("frozen", sa.Boolean, nullable=False),
    )
    op.create_table(
        "log_entries",
        sa.Column("log", sa.BigInteger, nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("identity", sa.LargeBinary(_HASH), nullable=False),
        sa.PrimaryKeyConstraint("log", "place", name="log_entries_place"),
        sa.UniqueConstraint("identity", "log", name="log_entries_identity"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "log_terms",
        sa.Column("log", sa.BigInteger, nullable=False),
        sa.Column("term", sa.LargeBinary(_TERM), nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("term", "log", "place", name="log_terms_term"),
        sqlite_with_rowid=False,
    )
    op.create_index("log_terms_place", "log_terms", ["log", "place"])
    op.create_table(
        "log_bodies",
        sa.Column("log", sa.BigInteger, nullable=False),
        sa.Column("place", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("extra", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("log", "place", name="log_bodies_place"),
    )


def downgrade() -> None:
    """Drop the tables."""
    for table in ("log_bodies", "log_terms", "log_entries", "logs"):
        op.drop_table(table)
