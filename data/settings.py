"""Settings, read from the environment once at an entry point and handed down."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from data.errors import SettingsError


class Settings(BaseSettings):
    """Where things are made, from variables that start with ``NBO_``."""

    model_config = SettingsConfigDict(env_prefix="NBO_", extra="ignore", frozen=True)

    home: Path = Field(default=Path("var"), description="Folder in which everything is made.")
    database: str | None = Field(default=None, description="Database URL; SQLite in home if unset.")
    withhold: str = Field(
        default="",
        description="Kinds of offers that customers flagged as something are not shown.",
    )

    workers: int = Field(default=1, ge=1, le=64, description="Processes that serve.")
    timeout: float = Field(default=30.0, gt=0, le=600, description="Seconds a request may take.")
    rate: float = Field(
        default=0.0, ge=0, description="Requests a second of one key or address; 0 for no limit."
    )
    warm: int = Field(
        default=20_000, ge=0, description="Customers whose lists are made ahead in idle moments."
    )
    log: Literal["off", "info"] = Field(
        default="off", description="A line of JSON per request, without personal data."
    )

    @property
    def data_folder(self) -> Path:
        """Folder of the default dataset."""
        return self.home / "data"

    @property
    def model_folder(self) -> Path:
        """Folder of the trained bundles."""
        return self.home / "model"

    @property
    def report_folder(self) -> Path:
        """Folder of the default report."""
        return self.home / "report"

    @property
    def database_url(self) -> str:
        """URL of the service's database."""
        return self.database or f"sqlite:///{self.home / 'nbo.db'}"


def read_settings() -> Settings:
    """Read the settings of this process.

    Raises
    ------
    SettingsError
        A variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "NBO_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(
            f"The environment variable {name} cannot be used: {first['msg']}.",
            "Correct it or unset it.",
        ) from error


def is_database(text: str) -> bool:
    """Tell a database URL from a folder."""
    return "://" in text
