"""Typed configuration: one class a table of `aftersend.toml`."""

from aftersend.settings.collector import CollectorSettings, SpoolSettings, WebTrackingSettings
from aftersend.settings.delivery import (
    BrandSettings,
    ContentSettings,
    DatabaseSettings,
    DeliverySettings,
    LakeSettings,
    SmtpSettings,
    WebSettings,
)
from aftersend.settings.file import FILE_NAME, Settings, load
from aftersend.settings.section import Section
from aftersend.settings.workflow import (
    MachineSettings,
    PurgeSettings,
    SupervisionSettings,
    TrackingSettings,
)

__all__ = ["FILE_NAME", "BrandSettings", "CollectorSettings", "ContentSettings"]
__all__ += ["DatabaseSettings", "DeliverySettings", "LakeSettings", "MachineSettings"]
__all__ += ["PurgeSettings", "Section", "Settings", "SmtpSettings", "SpoolSettings"]
__all__ += ["SupervisionSettings", "TrackingSettings", "WebSettings", "WebTrackingSettings", "load"]
