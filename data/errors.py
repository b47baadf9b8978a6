"""Every error this project raises on purpose; each names the place and the remedy."""

from __future__ import annotations


class OfferError(Exception):
    """Root of the tree. `exit_code` is what a command ends with when it gets this far.

    Parameters
    ----------
    problem : str
        What is wrong and where: the file, row or column where there is one.
    remedy : str
        What the reader can do about it.
    """

    exit_code = 1

    def __init__(self, problem: str, remedy: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem} {self.remedy}".strip()


class UsageError(OfferError):
    """The command or the call was made in a way that cannot work."""

    exit_code = 2


class SettingsError(OfferError):
    """The configuration cannot work."""

    exit_code = 3


class DataError(OfferError):
    """A table is missing, unreadable or worse than tolerated."""

    exit_code = 4


class BundleError(OfferError):
    """A model on disk is absent, damaged or of another format."""

    exit_code = 5


class FormatError(BundleError):
    """A model on disk is of another format: another version of this program reads it."""


class BusyError(BundleError):
    """Somebody else writes to the model folder; asking again later helps."""
