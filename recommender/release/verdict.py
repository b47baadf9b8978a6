"""What the gate found of a model, as a value and as a file beside the model's manifest."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from data.errors import BundleError
from recommender.storage.model_folder import VERSIONS
from recommender.storage.one_writer import one_writer
from recommender.storage.versions import VERDICT, write_whole


@dataclass(frozen=True)
class Check:
    """One question to a model and its answer.

    Attributes
    ----------
    name : str
        What was asked.
    passed : bool or None
        None where it could not be asked.
    told : str
        The answer in words, or why there is none.
    figures : dict
        What was measured.
    """

    name: str
    passed: bool | None
    told: str
    figures: dict[str, float | int | str]


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a version.

    Attributes
    ----------
    version : str
        Of the model that was judged.
    against : str
        Of the current model at that time; empty where there was none.
    checks : tuple of Check
    """

    version: str
    against: str
    checks: tuple[Check, ...]

    @property
    def reasons(self) -> list[str]:
        """Why the model is refused; nothing where it is not."""
        return [f"{one.name}: {one.told}" for one in self.checks if one.passed is False]

    def lines(self) -> list[str]:
        """Say every answer in a line."""
        words = {True: "passed", False: "REFUSED", None: "not checked"}
        return [f"{one.name}: {words[one.passed]}, {one.told}" for one in self.checks]

    def as_json(self) -> dict[str, Any]:
        """Return it for a machine to read."""
        return {**asdict(self), "refused": bool(self.reasons), "reasons": self.reasons}


def write_verdict(verdict: Verdict, folder: Path) -> None:
    """Put a verdict beside the manifest of its version; an earlier one is replaced."""
    content = json.dumps(verdict.as_json(), indent=2, ensure_ascii=False)
    with one_writer(folder):
        write_whole(folder / VERSIONS / verdict.version / VERDICT, content.encode())


def read_verdict(folder: Path, version: str) -> Verdict | None:
    """Read the verdict on a version; None where there is none.

    Raises
    ------
    BundleError
        The file cannot be understood, or speaks of another version.
    """
    path = folder / VERSIONS / version / VERDICT
    if not path.is_file():
        return None
    try:
        told = json.loads(path.read_bytes())
        checks = tuple(Check(**one) for one in told["checks"])
        verdict = Verdict(told["version"], told["against"], checks)
        if verdict.version != version or any(
            one.passed not in (True, False, None) for one in checks
        ):
            raise ValueError(verdict.version)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path} is damaged.", "Measure it anew with --data.") from error
    return verdict
