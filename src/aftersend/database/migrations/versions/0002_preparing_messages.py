"""Columns and tables of preparing messages."""

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; links that are there get the hash of their source."""
    _extend_delivery()
    _extend_content()
    _create_block()
    _create_enumeration_value()
    _create_url_memory()
    _extend_tracked_url()


def _text(name: str, default: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False, server_default=default)


def _number(name: str, kind: type[sa.Integer]) -> sa.Column[int]:
    return sa.Column(name, kind(), nullable=False, server_default="0")


def _extend_delivery() -> None:
    with op.batch_alter_table("delivery") as batch:
        batch.add_column(_number("kind", sa.SmallInteger))
        batch.add_column(sa.Column("origin_id", sa.BigInteger(), nullable=True))
        batch.add_column(_number("proof_number", sa.Integer))
        batch.add_column(_number("validity_s", sa.BigInteger))
        batch.add_column(_number("resources_s", sa.BigInteger))
        batch.add_column(_text("substitution_url"))
        batch.add_column(
            sa.Column("pixel", sa.String(length=16), nullable=False, server_default="bottom")
        )
        batch.add_column(
            sa.Column(
                "mirror_mode", sa.String(length=16), nullable=False, server_default="if-linked"
            )
        )
        for name in ("click_formula", "open_formula", "link_parameters", "untracked_reason"):
            batch.add_column(_text(name))


def _extend_content() -> None:
    with op.batch_alter_table("content") as batch:
        for name in ("variables", "objects"):
            batch.add_column(sa.Column(name, sa.JSON(), nullable=False, server_default="{}"))
        for name in ("expanded_subject", "expanded_html", "expanded_text"):
            batch.add_column(sa.Column(name, sa.Text(), nullable=True))


def _create_block() -> None:
    op.create_table(
        "block",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("html", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_block")),
    )


def _create_enumeration_value() -> None:
    op.create_table(
        "enumeration_value",
        sa.Column("enumeration", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=100), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("enumeration", "value", name=op.f("pk_enumeration_value")),
    )


def _create_url_memory() -> None:
    op.create_table(
        "url_memory",
        sa.Column("source_hash", sa.String(length=64), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("source_hash", name=op.f("pk_url_memory")),
    )


def _extend_tracked_url() -> None:
    with op.batch_alter_table("tracked_url") as batch:
        batch.add_column(
            sa.Column("source_hash", sa.String(length=64), nullable=False, server_default="")
        )
        for name, length in (("found_mode", 16), ("found_label", 255), ("found_category", 100)):
            batch.add_column(
                sa.Column(name, sa.String(length=length), nullable=False, server_default="")
            )
    table = sa.table("tracked_url", sa.column("id"), sa.column("source"), sa.column("source_hash"))
    connection = op.get_bind()
    for row in connection.execute(sa.select(table.c.id, table.c.source)).all():
        digest = hashlib.sha256(row.source.encode()).hexdigest()
        connection.execute(table.update().where(table.c.id == row.id).values(source_hash=digest))
    with op.batch_alter_table("tracked_url") as batch:
        batch.alter_column("source_hash", server_default=None)
        batch.drop_constraint(op.f("uq_tracked_url_delivery_id_part_source"), type_="unique")
        batch.create_unique_constraint(
            op.f("uq_tracked_url_delivery_id_part_source_hash"),
            ["delivery_id", "part", "source_hash"],
        )
