"""Columns and tables of tracking servers, web tags, blocked links and brands."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them."""
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(_text("brand", 64))
    _extend_tracked_url()
    _extend_tracking_server()
    _create_public_address()
    _extend_delivery_indicator()


def _text(name: str, length: int) -> sa.Column[str]:
    return sa.Column(name, sa.String(length=length), nullable=False, server_default="")


def _extend_tracked_url() -> None:
    with op.batch_alter_table("tracked_url") as batch:
        batch.add_column(
            sa.Column("is_blocked", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch.add_column(sa.Column("tag_id", sa.String(length=128), nullable=True))
        batch.add_column(_text("folder", 100))
        batch.add_column(sa.Column("valid_until", sa.DateTime(timezone=True), nullable=True))
        batch.create_unique_constraint(op.f("uq_tracked_url_tag_id"), ["tag_id"])
    op.create_index(
        op.f("ix_tracking_stats_url_id_tracking_stats_start"), "tracking_stats", ["url_id", "start"]
    )


def _extend_tracking_server() -> None:
    with op.batch_alter_table("tracking_server") as batch:
        batch.add_column(sa.Column("registered_at", sa.DateTime(timezone=True), nullable=True))
        batch.add_column(_text("build", 50))
        batch.add_column(_text("host", 255))
        batch.add_column(sa.Column("problem", sa.Text(), nullable=False, server_default=""))


def _create_public_address() -> None:
    op.create_table(
        "public_address",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("servers", sa.String(length=64), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_public_address")),
    )


def _extend_delivery_indicator() -> None:
    with op.batch_alter_table("delivery_indicator") as batch:
        for name, kind in (
            ("total_web_page", sa.Integer()),
            ("transaction", sa.Integer()),
            ("amount", sa.Float()),
            ("article", sa.BigInteger()),
        ):
            batch.add_column(sa.Column(name, kind, nullable=False, server_default="0"))
