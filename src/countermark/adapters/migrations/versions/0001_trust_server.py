"""Metadata of a Notary v1 server, its changefeed, and the keys it signs with.

The first two tables say what notary-server's do (migrations/server/*/0001, 0002), times apart.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_NAME = 255  # notary-server: varchar(255)


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "tuf_files",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("gun", sa.String(_NAME), nullable=False),
        sa.Column("role", sa.String(_NAME), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("gun", "role", "version", name="tuf_files_version"),
    )
    op.create_index("tuf_files_sha256", "tuf_files", ["gun", "role", "sha256"])
    op.create_table(
        "changefeed",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("gun", sa.String(_NAME), nullable=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("category", sa.String(20), nullable=False),
    )
    op.create_index("changefeed_gun", "changefeed", ["gun", "id"])
    op.create_table(
        "server_keys",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("key_id", sa.String(64), nullable=False, unique=True),
        sa.Column("gun", sa.String(_NAME), nullable=False),
        sa.Column("role", sa.String(_NAME), nullable=False),
        sa.Column("sealed", sa.LargeBinary, nullable=False),
        sa.Column("created_us", sa.BigInteger, nullable=False),
        sa.Column("pending", sa.Boolean, nullable=False),
    )
    op.create_index("server_keys_role", "server_keys", ["gun", "role"])
    op.create_index("server_keys_pending", "server_keys", ["pending", "created_us"])


def downgrade() -> None:
    """Drop the tables."""
    for table in ("server_keys", "changefeed", "tuf_files"):
        op.drop_table(table)
