"""API keys: made once, shown once, known afterwards by their digest only."""

from __future__ import annotations

import hashlib
import secrets

PREFIX = "nbo_"  # so that a key that leaked can be found for what it is


def new_key() -> str:
    """Make a key of 256 random bits."""
    return PREFIX + secrets.token_urlsafe(32)


def digest_of(key: str) -> str:
    """Return the digest by which a key is known: it is random, so a plain hash is enough."""
    return hashlib.sha256(key.encode()).hexdigest()
