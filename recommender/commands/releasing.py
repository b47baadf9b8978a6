"""Commands of `python -m recommender` that change which model is current: publish, roll back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from data.console import out, say_json, steps
from data.errors import BundleError, FormatError, UsageError
from data.ingest import MAX_BAD
from data.settings import read_settings
from recommender.commands.options import MaxBad, Model, read_source
from recommender.release.gate import STEPS, judge_release
from recommender.release.releasing import current_bundle, overtaken, refusal
from recommender.release.verdict import Verdict, read_verdict, write_verdict
from recommender.storage.model_folder import LISTING, VERSIONS, load
from recommender.storage.one_writer import one_writer
from recommender.storage.versions import (
    candidate_version,
    current_version,
    history,
    make_current,
    step_back,
)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def publish(
    version: Annotated[
        str | None, typer.Argument(help="A stored version; the latest candidate if not given.")
    ] = None,
    model: Model = None,
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DIR|URL", help="Facts to measure the gate on."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Whatever the gate says.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the stored versions.")] = False,
    as_json: AsJson = False,
    max_bad: MaxBad = MAX_BAD,
) -> None:
    """Make a stored model the current one, unless the gate refuses it.

    Refused is what ranks worse than the current model on what happened since or is of an earlier
    moment, reads the future, comes out differently from the same data and seed, or does not come
    from the data given. With --data this is measured now; without, the verdict decides that `train`
    or `publish` stored, if it is against the current model.

    Example: `python -m recommender publish --model out/model --data out/world`
    """
    settings = read_settings()
    target = settings.model_folder if model is None else model
    if listing:
        _list(target, as_json)
        return
    wanted = version or candidate_version(target)
    if not wanted:
        raise BundleError(f"{target} has no candidate.", f"Name a version. {LISTING}")
    bundle = load(target, wanted)  # a damaged one is refused here, forced or not
    before = current_version(target)
    verdict = None
    if data is not None:
        with steps(STEPS + 1) as step:
            step("reading")
            # Of a database what was on record when the model was trained.
            dataset = read_source(data, settings, max_bad, bundle.moment).intake.dataset
            current = None if before == wanted else current_bundle(target)
            verdict = judge_release(dataset, bundle, current, on_step=step)
        write_verdict(verdict, target)
    elif not force:
        verdict = read_verdict(target, wanted)
        if verdict is None:
            raise BundleError(
                f"Nothing is known of how good {wanted} is.",
                "Give --data DIR to measure it, or --force to publish it all the same.",
            )
        if verdict.against != before != wanted:
            raise BundleError(
                f"{wanted} was held against {verdict.against or 'none'}, and {before or 'none'} is "
                "the current model.",
                "Give --data DIR to measure it anew, or --force to publish it all the same.",
            )
    refused = bool(verdict and verdict.reasons and not force)
    if not refused:
        with one_writer(target):
            if not force and current_version(target) != before:
                raise overtaken(wanted, before, target)
            make_current(target, wanted)
    told = {
        "published": not refused,
        "version": wanted,
        "before": before or None,
        "verdict": None if verdict is None else verdict.as_json(),
    }
    _tell(told, verdict, as_json)
    if verdict is not None and refused:
        raise refusal(verdict, target, before)
    if not as_json:
        out.print(f"{wanted} is the current model of {target}; before it {before or 'none'}.")


def rollback(model: Model = None, as_json: AsJson = False) -> None:
    """Go back to the model that was current before; again goes back further.

    Example: `python -m recommender rollback --model out/model`
    """
    target = read_settings().model_folder if model is None else model
    if not current_version(target):
        raise BundleError(f"{target} holds no model.", "Train one: python -m recommender train")
    with one_writer(target):  # two at once go back two steps, and each tells its own
        left, past = _gone_back(target)
    if as_json:
        say_json({"version": past[-1], "left": left, "before": past[:-1]})
        return
    out.print(f"{past[-1]} is the current model of {target} again; {left} is kept.")


def _gone_back(target: Path) -> tuple[str, list[str]]:
    """Go back a step; return the version that was left and those that were before it."""
    left, past = current_version(target), history(target)
    if not past:
        raise BundleError(f"No model was current before {left}.", f"Name a version. {LISTING}")
    try:
        load(target, past[-1])
    except BundleError as error:
        raise BundleError(
            f"The model before, {past[-1]}, cannot be read: {error.problem} {left} stays current.",
            f"Choose another: python -m recommender publish VERSION --force. {LISTING}",
        ) from error
    step_back(target)
    return left, past


def _tell(told: dict[str, Any], verdict: Verdict | None, as_json: bool) -> None:
    if as_json:
        say_json(told)
    elif verdict is not None:
        for line in verdict.lines():
            out.print(line)


def _list(model: Path, as_json: bool) -> None:
    if not (model / VERSIONS).is_dir():
        raise UsageError(f"{model} holds no models.", "Name a model folder.")
    stored = sorted(path.name for path in (model / VERSIONS).iterdir() if path.name.isalnum())
    current, past, candidate = current_version(model), history(model), candidate_version(model)
    rows = []
    for version in stored:
        try:
            at = load(model, version).at
            verdict = read_verdict(model, version)
            gate = "not asked" if verdict is None else "refused" if verdict.reasons else "passed"
        except FormatError:
            at, gate = "", "of another format"
        except BundleError:
            at, gate = "", "damaged"
        state = {current: "current", candidate: "candidate"}.get(
            version, "before" if version in past else "kept"
        )
        rows.append({"version": version, "at": at, "state": state, "gate": gate})
    rows.sort(key=lambda row: (row["at"], row["version"]))
    if as_json:
        say_json({"versions": rows})
        return
    for row in rows:
        out.print("  ".join(row.values()))
