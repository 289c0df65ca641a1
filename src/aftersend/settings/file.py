"""Typed configuration: `aftersend.toml` of an instance, each value overridable by environment.

``AFTERSEND_COLLECTOR__PORT=9001`` overrides ``port`` in ``[collector]``. Unknown names are refused,
so that a misspelt setting never goes unnoticed.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from aftersend.errors import InvalidSettings
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
from aftersend.settings.workflow import (
    MachineSettings,
    PurgeSettings,
    SupervisionSettings,
    TrackingSettings,
)

__all__ = ["FILE_NAME", "Settings", "load"]

FILE_NAME = "aftersend.toml"

BrandName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]


class Settings(BaseSettings):
    """All settings of an instance; `keys` maps key ids to secrets in hex (architecture D2)."""

    model_config = SettingsConfigDict(
        env_prefix="AFTERSEND_", env_nested_delimiter="__", extra="forbid", frozen=True
    )
    _file: ClassVar[Path | None] = None

    keys: Mapping[int, str]
    collector: CollectorSettings
    web: WebSettings
    spool: SpoolSettings = SpoolSettings()
    tracking: TrackingSettings = TrackingSettings()
    machines: MachineSettings = MachineSettings()
    purge: PurgeSettings = PurgeSettings()
    supervision: SupervisionSettings = SupervisionSettings()
    smtp: SmtpSettings = SmtpSettings()
    database: DatabaseSettings = DatabaseSettings()
    lake: LakeSettings = LakeSettings()
    delivery: DeliverySettings = DeliverySettings()
    content: ContentSettings = ContentSettings()
    web_tracking: WebTrackingSettings = WebTrackingSettings()
    brands: Mapping[BrandName, BrandSettings] = Field(default_factory=dict)

    @property
    def secrets(self) -> Mapping[int, bytes]:
        """Give the keys of tracking tokens as bytes, by id."""
        return {number: bytes.fromhex(text) for number, text in self.keys.items()}

    @field_validator("keys")
    @classmethod
    def _are_keys(cls, keys: Mapping[int, str]) -> Mapping[int, str]:
        if not keys:
            raise ValueError("at least one key is needed")
        for key_id, secret in keys.items():
            if not 1 <= key_id <= 255 or not 32 <= len(secret) <= 128:
                raise ValueError("key ids are 1 to 255, secrets 32 to 128 hex digits")
            bytes.fromhex(secret)
        return keys

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        del settings_cls, dotenv_settings, file_secret_settings
        return (env_settings, init_settings)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read one file; see `load`."""
        source = TomlConfigSettingsSource(cls, toml_file=path)
        return cls(**source())


def load(instance: Path) -> Settings:
    """Read the settings of the instance in folder `instance`.

    Raises:
        InvalidSettings: there is no instance, or its file cannot be used; the sentence says what
            to change.
    """
    path = instance / FILE_NAME
    if not path.is_file():
        raise InvalidSettings(
            f"{instance} is not an instance: {FILE_NAME} is missing. Make one: aftersend init DIR"
        )
    try:
        return Settings.from_file(path)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()
        )
        raise InvalidSettings(f"{path} cannot be used: {problems}") from error
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"{path} cannot be read: {error}") from error
