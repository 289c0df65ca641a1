"""Tables of the road of a click."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    _create_delivery()
    _create_delivery_indicator()
    _create_delivery_log_stats()
    _create_journal_line()
    _create_operator()
    _create_option()
    _create_recipient()
    _create_tracking_server()
    _create_tracking_stats()
    _create_user_agent()
    _create_workflow()
    _create_analysis_check()
    _create_content()
    _create_delivery_target()
    _create_exclusion()
    _create_message()
    _create_seed()
    _create_tracked_url()
    _create_workflow_run()
    _insert_open()


def _create_delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("internal_name", sa.String(length=100), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("sender", sa.String(length=500), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("is_tracked", sa.Boolean(), nullable=False),
        sa.Column("is_open_tracked", sa.Boolean(), nullable=False),
        sa.Column("is_target_all", sa.Boolean(), nullable=False),
        sa.Column("to_deliver", sa.Integer(), nullable=False),
        sa.Column("text_count", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.Column("success", sa.Integer(), nullable=False),
        sa.Column("error", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("analysed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contact_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("internal_name", name=op.f("uq_delivery_internal_name")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("delivery", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_delivery_state"), ["state"], unique=False)


def _create_delivery_indicator() -> None:
    op.create_table(
        "delivery_indicator",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("recipient_open", sa.Integer(), nullable=False),
        sa.Column("total_recipient_open", sa.Integer(), nullable=False),
        sa.Column("recipient_click", sa.Integer(), nullable=False),
        sa.Column("person_click", sa.Integer(), nullable=False),
        sa.Column("total_recipient_click", sa.Integer(), nullable=False),
        sa.Column("opt_out", sa.Integer(), nullable=False),
        sa.Column("mirror_page", sa.Integer(), nullable=False),
        sa.Column("computed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lake_version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_delivery_indicator")),
    )


def _create_delivery_log_stats() -> None:
    op.create_table(
        "delivery_log_stats",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("success", sa.Integer(), nullable=False),
        sa.Column("error", sa.Integer(), nullable=False),
        sa.Column("recipient_open", sa.Integer(), nullable=False),
        sa.Column("recipient_click", sa.Integer(), nullable=False),
        sa.Column("person_click", sa.Integer(), nullable=False),
        sa.Column("opt_out", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "domain", name=op.f("pk_delivery_log_stats")),
    )


def _create_journal_line() -> None:
    op.create_table(
        "journal_line",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("workflow", sa.String(length=100), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("activity", sa.String(length=100), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_line")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("journal_line", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_journal_line_workflow_journal_line_at"), ["workflow", "at"], unique=False
        )


def _create_operator() -> None:
    op.create_table(
        "operator",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_operator")),
        sa.UniqueConstraint("name", name=op.f("uq_operator_name")),
    )


def _create_option() -> None:
    op.create_table(
        "option",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_option")),
    )


def _create_recipient() -> None:
    op.create_table(
        "recipient",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("first_name", sa.String(length=255), nullable=False),
        sa.Column("last_name", sa.String(length=255), nullable=False),
        sa.Column("format", sa.SmallInteger(), nullable=False),
        sa.Column("is_denylisted", sa.Boolean(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recipient")),
        sa.UniqueConstraint("email", name=op.f("uq_recipient_email")),
        sqlite_autoincrement=True,
    )


def _create_tracking_server() -> None:
    op.create_table(
        "tracking_server",
        sa.Column("id", sa.String(length=1), nullable=False),
        sa.Column("internal_url", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracking_server")),
    )


def _create_tracking_stats() -> None:
    op.create_table(
        "tracking_stats",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("url_id", sa.BigInteger(), nullable=False),
        sa.Column("start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("total_clicks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", "url_id", "start", name=op.f("pk_tracking_stats")),
    )


def _create_user_agent() -> None:
    op.create_table(
        "user_agent",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_agent")),
    )


def _create_workflow() -> None:
    op.create_table(
        "workflow",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("schedule", sa.String(length=100), nullable=False),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.Column("is_failed", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("lease_owner", sa.String(length=255), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_workflow")),
    )


def _create_analysis_check() -> None:
    op.create_table(
        "analysis_check",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("level", sa.SmallInteger(), nullable=False),
        sa.Column("rule", sa.String(length=100), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_analysis_check_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_analysis_check")),
    )
    with op.batch_alter_table("analysis_check", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_analysis_check_delivery_id"), ["delivery_id"], unique=False
        )


def _create_content() -> None:
    op.create_table(
        "content",
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("html", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_content_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("delivery_id", name=op.f("pk_content")),
    )


def _create_delivery_target() -> None:
    op.create_table(
        "delivery_target",
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "recipient_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_delivery_target_delivery_id_delivery")
        ),
        sa.ForeignKeyConstraint(
            ["recipient_id"],
            ["recipient.id"],
            name=op.f("fk_delivery_target_recipient_id_recipient"),
        ),
        sa.PrimaryKeyConstraint("delivery_id", "recipient_id", name=op.f("pk_delivery_target")),
    )


def _create_exclusion() -> None:
    op.create_table(
        "exclusion",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("recipient_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("reason", sa.SmallInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_exclusion_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exclusion")),
    )
    with op.batch_alter_table("exclusion", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_exclusion_delivery_id"), ["delivery_id"], unique=False)


def _create_message() -> None:
    op.create_table(
        "message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("recipient_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.String(length=320), nullable=False),
        sa.Column("domain", sa.String(length=255), nullable=False),
        sa.Column("is_seed", sa.Boolean(), nullable=False),
        sa.Column("is_text", sa.Boolean(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("failure_type", sa.SmallInteger(), nullable=False),
        sa.Column("failure_reason", sa.SmallInteger(), nullable=False),
        sa.Column("failure_text", sa.Text(), nullable=False),
        sa.Column("event_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_message_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_message")),
        sa.UniqueConstraint("delivery_id", "address", name=op.f("uq_message_delivery_id_address")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_message_delivery_id_message_status"),
            ["delivery_id", "status"],
            unique=False,
        )
        batch_op.create_index(batch_op.f("ix_message_recipient_id"), ["recipient_id"], unique=False)


def _create_seed() -> None:
    op.create_table(
        "seed",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("email", sa.String(length=320), nullable=False),
        sa.Column("first_name", sa.String(length=255), nullable=False),
        sa.Column("last_name", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_seed_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_seed")),
        sa.UniqueConstraint("delivery_id", "email", name=op.f("uq_seed_delivery_id_email")),
    )


def _create_tracked_url() -> None:
    op.create_table(
        "tracked_url",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "delivery_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("type", sa.SmallInteger(), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("part", sa.String(length=1), nullable=False),
        sa.Column("label", sa.String(length=255), nullable=False),
        sa.Column("category", sa.String(length=100), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("occurrences", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["delivery.id"], name=op.f("fk_tracked_url_delivery_id_delivery")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tracked_url")),
        sa.UniqueConstraint(
            "delivery_id", "part", "source", name=op.f("uq_tracked_url_delivery_id_part_source")
        ),
        sqlite_autoincrement=True,
    )


def _create_workflow_run() -> None:
    op.create_table(
        "workflow_run",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("workflow", sa.String(length=100), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("read", sa.BigInteger(), nullable=False),
        sa.Column("loaded", sa.BigInteger(), nullable=False),
        sa.Column("already", sa.BigInteger(), nullable=False),
        sa.Column("rejected", sa.JSON(), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workflow"], ["workflow.name"], name=op.f("fk_workflow_run_workflow_workflow")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_run")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("workflow_run", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_workflow_run_workflow_workflow_run_started_at"),
            ["workflow", "started_at"],
            unique=False,
        )


def _insert_open() -> None:
    # The "Open" URL that all deliveries share (spec §1.7).
    op.execute(
        "INSERT INTO tracked_url (id, type, mode, part, label, category, source, occurrences)"
        " VALUES (1, 2, 'enabled', 'h', 'Open', '', '', 0)"
    )
    if op.get_bind().dialect.name == "postgresql":
        # It does not count ids that it was given.
        op.execute("SELECT setval(pg_get_serial_sequence('tracked_url', 'id'), 1)")
