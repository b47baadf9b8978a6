"""From options to an application: what a worker process does when it starts."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pandas as pd
from fastapi import FastAPI

from api.app import create_app
from api.guard import Limits
from api.house import House
from api.served import serve
from api.settling import settle
from data.settings import Settings, read_settings
from data.store import Store
from recommender.serving.withholding import configured_rules
from recommender.storage.model_folder import load

VARIABLE = "NBO_SERVE"  # options for workers; the database's URL has a variable of its own
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True)
class Opening:
    """What to serve; plain values, so that they can be handed to another process.

    `began` is when the service began, microseconds since 1970: the same for all its workers.
    """

    model: str
    at: str | None
    host: str
    began: int = field(default_factory=lambda: time.time_ns() // 1000)

    @property
    def is_public(self) -> bool:
        """Whether others than this machine can connect."""
        try:
            return self.host != "localhost" and not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return True


def hand_over(opening: Opening, database: str) -> None:
    """Leave the options where `worker` finds them."""
    os.environ[VARIABLE] = json.dumps(asdict(opening))
    os.environ["NBO_DATABASE"] = database


def worker() -> FastAPI:
    """Build the application of a worker process from what was handed over."""
    settings = read_settings()
    opening = Opening(**json.loads(os.environ[VARIABLE]))
    return application(open_house(opening, settings), opening, settings)


def open_house(opening: Opening, settings: Settings) -> House:
    """Load the model and open the database.

    Raises
    ------
    BundleError, SettingsError
        One of them cannot be used.
    """
    folder = Path(opening.model)
    rules = configured_rules(settings.withhold)
    bundle = load(folder)
    store = Store.open(settings.database_url)
    at = None if opening.at is None else pd.Timestamp(opening.at)
    service = serve(bundle, rules)
    return House(bundle, service, store, at, folder=folder, rules=rules, began=opening.began)


def application(house: House, opening: Opening, settings: Settings) -> FastAPI:
    """Build the application with its limits."""
    log_requests(settings.log)
    hosts = () if opening.is_public else (*LOCAL_NAMES, opening.host)
    limits = Limits(seconds=settings.timeout, per_second=settings.rate, hosts=hosts)
    app = create_app(house, limits, open_without_keys=not opening.is_public, warm=settings.warm)
    settle()
    return app


def log_requests(level: str) -> None:
    """Write a line of JSON per request to standard error where that is wished for."""
    access = logging.getLogger("api.access")
    access.setLevel(logging.INFO if level == "info" else logging.WARNING)
    if level == "info" and not access.handlers:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        access.addHandler(handler)
        access.propagate = False
