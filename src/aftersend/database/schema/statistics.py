"""User agents, and what consolidation keeps of the lake (spec §1.10)."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    Index,
    Integer,
    SmallInteger,
    String,
    Table,
    Text,
    false,
)

from aftersend.database.schema.base import UtcDateTime, metadata

__all__ = ["delivery_indicator", "delivery_log_stats", "delivery_rule_stats", "tracking_stats"]
__all__ += ["user_agent", "user_agent_stats"]

user_agent = Table(
    "user_agent",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("text", Text, nullable=False),
    # What the text means, by the edition of the rules that it was identified with.
    Column("browser", String(50), nullable=False, default="", server_default=""),
    Column("browser_version", String(10), nullable=False, default="", server_default=""),
    Column("os", String(50), nullable=False, default="", server_default=""),
    Column("os_family", String(20), nullable=False, default="", server_default=""),
    Column("device", String(255), nullable=False, default="", server_default=""),
    Column("is_mobile", Boolean, nullable=False, default=False, server_default=false()),
    Column("is_recognised", Boolean, nullable=False, default=False, server_default=false()),
    # The rule about machines that the text alone meets; empty: none.
    Column("rule", String(32), nullable=False, default="", server_default=""),
    Column("edition", String(64), nullable=False, default="", server_default=""),
)

user_agent_stats = Table(
    "user_agent_stats",
    metadata,
    Column("agent_id", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Date, primary_key=True),
    # Different recipients who clicked with it that day, and their clicks.
    Column("visitors", Integer, nullable=False),
    Column("pages", Integer, nullable=False),
    # Different recipients who clicked that day with whatever.
    Column("visitors_of_the_day", Integer, nullable=False),
    Index(None, "day"),
)

tracking_stats = Table(
    "tracking_stats",
    metadata,
    Column("delivery_id", BigInteger, primary_key=True),
    Column("url_id", BigInteger, primary_key=True),
    Column("start", UtcDateTime, primary_key=True),
    Column("total_clicks", Integer, nullable=False),
    # Hits of a web tag are spread over deliveries.
    Index(None, "url_id", "start"),
)

delivery_log_stats = Table(
    "delivery_log_stats",
    metadata,
    Column("delivery_id", BigInteger, primary_key=True),
    # A value of the enumeration Domains, or Others.
    Column("domain", String(255), primary_key=True),
    Column("prepared", Integer, nullable=False, default=0, server_default="0"),
    Column("success", Integer, nullable=False),
    Column("error", Integer, nullable=False),
    # Messages by the reason why they failed (spec §1.6).
    Column("user_unknown", Integer, nullable=False, default=0, server_default="0"),
    Column("invalid_domain", Integer, nullable=False, default=0, server_default="0"),
    Column("unreachable", Integer, nullable=False, default=0, server_default="0"),
    Column("account_disabled", Integer, nullable=False, default=0, server_default="0"),
    Column("mailbox_full", Integer, nullable=False, default=0, server_default="0"),
    Column("not_connected", Integer, nullable=False, default=0, server_default="0"),
    Column("refused", Integer, nullable=False, default=0, server_default="0"),
    Column("complaints", Integer, nullable=False, default=0, server_default="0"),
    Column("recipient_open", Integer, nullable=False),
    Column("recipient_click", Integer, nullable=False),
    Column("person_click", Integer, nullable=False),
    Column("opt_out", Integer, nullable=False),
)

delivery_indicator = Table(
    "delivery_indicator",
    metadata,
    Column("delivery_id", BigInteger, primary_key=True),
    Column("recipient_open", Integer, nullable=False),
    Column("total_recipient_open", Integer, nullable=False),
    Column("recipient_click", Integer, nullable=False),
    Column("person_click", Integer, nullable=False),
    Column("total_recipient_click", Integer, nullable=False),
    Column("opt_out", Integer, nullable=False),
    Column("mirror_page", Integer, nullable=False),
    Column("total_web_page", Integer, nullable=False, default=0, server_default="0"),
    Column("transaction", Integer, nullable=False, default=0, server_default="0"),
    Column("amount", Float, nullable=False, default=0.0, server_default="0"),
    Column("article", BigInteger, nullable=False, default=0, server_default="0"),
    # Hits of any verdict that the figures were computed from.
    Column("hits", BigInteger, nullable=False, default=0, server_default="0"),
    # Hits loaded since, too few to compute anew: how many, since when they wait, the earliest.
    Column("pending", BigInteger, nullable=False, default=0, server_default="0"),
    Column("pending_since", UtcDateTime),
    Column("pending_from", UtcDateTime),
    # Raw hits or messages were purged: the figures stay as they are for ever.
    Column("is_frozen", Boolean, nullable=False, default=False, server_default=false()),
    Column("computed_at", UtcDateTime, nullable=False),
    Column("lake_version", BigInteger, nullable=False),
)

delivery_rule_stats = Table(
    "delivery_rule_stats",
    metadata,
    Column("delivery_id", BigInteger, primary_key=True),
    # The rule that took hits out of the figures.
    Column("rule", String(32), primary_key=True),
    Column("url_type", SmallInteger, primary_key=True),
    Column("hits", BigInteger, nullable=False),
)
