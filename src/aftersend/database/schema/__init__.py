"""Every table of the control plane, with the names of the field.

Enumerations are kept as the codes of `aftersend.model.enumeration`.
Source: spec §1.3 to §1.11; architecture, "Control plane tables".
"""

from aftersend.database.schema.base import UtcDateTime, metadata
from aftersend.database.schema.configuration import (
    enumeration_alias,
    enumeration_value,
    option,
    public_address,
    tracking_server,
)
from aftersend.database.schema.delivery import (
    analysis_check,
    block,
    content,
    delivery,
    delivery_target,
    exclusion,
    message,
    recipient,
    seed,
    tracked_url,
    url_memory,
)
from aftersend.database.schema.statistics import (
    delivery_indicator,
    delivery_log_stats,
    delivery_rule_stats,
    tracking_stats,
    user_agent,
    user_agent_stats,
)
from aftersend.database.schema.workflow import (
    api_token,
    audit_entry,
    journal_line,
    operator,
    workflow,
    workflow_run,
)

__all__ = ["UtcDateTime", "analysis_check", "api_token", "audit_entry", "block"]
__all__ += [
    "content",
    "delivery",
    "delivery_indicator",
    "delivery_log_stats",
    "delivery_rule_stats",
]
__all__ += [
    "delivery_target",
    "enumeration_alias",
    "enumeration_value",
    "exclusion",
    "journal_line",
]
__all__ += ["message", "metadata", "operator", "option", "public_address"]
__all__ += ["recipient", "seed", "tracked_url", "tracking_server", "tracking_stats"]
__all__ += ["url_memory", "user_agent", "user_agent_stats", "workflow", "workflow_run"]
