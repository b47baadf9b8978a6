"""The command `replay`: policies on logged decisions, as a table and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from data.console import out, parse_moment, say, say_json, steps
from data.ingest import MAX_BAD
from data.settings import read_settings
from data.words import counted
from evaluation.off_policy.judging import HEADLINE, Judged
from evaluation.off_policy.overlap import ESTIMABLE, NOT_ESTIMABLE
from evaluation.off_policy.replay import Replay, check_policies
from evaluation.off_policy.replay import replay as replay_policies
from evaluation.off_policy.weights import PolicyEstimate
from evaluation.significance import Estimate
from recommender.base import POLICIES
from recommender.commands.options import At, DataOption, MaxBad, read_source
from recommender.storage.model_folder import load
from recommender.training import STEPS

TITLES = {"ctr": "CTR", "conversion": "Conversion"}
MINUTE = "%Y-%m-%d %H:%M"
WIDTH = 100


def replay(
    data: DataOption = None,
    policy: Annotated[
        str, typer.Option(metavar="NAME[,NAME]", help=f"Of {', '.join(POLICIES)}.")
    ] = "hybrid,popularity,random",
    at: At = None,
    model: Annotated[
        Path | None, typer.Option(help="Model folder; else one is trained on the past.")
    ] = None,
    explore: Annotated[
        float, typer.Option(min=0, max=1, help="Share of lists drawn evenly from valid offers.")
    ] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="The only source of chance.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    max_bad: MaxBad = MAX_BAD,
) -> None:
    """Estimate what policies would have achieved, from logged decisions with their propensities.

    The past trains (or --model ranks), and impressions after the cut are weighed: each policy's CTR
    and conversion with interval, effective sample size and largest weight, or why the log cannot
    tell. A policy's lists are deterministic, so only impressions that match them count; with
    --explore .1 the policy estimated is one that draws a tenth of its lists evenly, of which the
    log holds more.

    Example: `python -m evaluation replay --data out/world --policy hybrid,random --explore 0.1`
    """
    names = tuple(name.strip() for name in policy.split(",") if name.strip())
    check_policies(names, explore)
    settings = read_settings()
    moment = parse_moment(at)
    bundle = None if model is None else load(model)
    with steps(1 + len(set(names)) + (STEPS if bundle is None else 0)) as step:
        step("reading")
        intake = read_source(data, settings, max_bad).intake
        found = replay_policies(
            intake.dataset, names, at=moment, bundle=bundle, explore=explore, seed=seed,
            on_step=step,
        )  # fmt: skip
    if as_json:
        say_json(as_value(found))
        return
    for note in intake.remarks():
        say(f"Note: {note}")
    print_replay(found, out)


def print_replay(found: Replay, console: Console) -> None:
    """Print a replay to a terminal of 100 columns."""
    for line in _protocol(found):
        console.print(line)
    for name, logged in found.logged.items():
        if isinstance(logged, str):
            console.print(f"{TITLES[name]}: {logged}")
            continue
        judged = {policy: measures[name] for policy, measures in found.policies.items()}
        console.print(_values(name, logged, judged, found.log.answered[name].sum()), width=WIDTH)
        for policy, one in judged.items():
            for reason in one.overlap.reasons:
                console.print(f"  {policy}: {reason}")
        table = _clipping(name, judged)
        if table is not None:
            console.print(table, width=WIDTH)
    console.print(
        "Worth: as many equally weighted impressions (Kish); largest: the heaviest weight."
    )
    for note in found.notes:
        console.print(f"Note: {note}")


def as_value(found: Replay) -> dict[str, Any]:
    """Return a replay as plain values."""
    return {
        "protocol": {
            "at": found.at.isoformat(),
            "until": found.until.isoformat(),
            "model_at": found.model_at,
            "model_version": found.model_version,
            "lists": "as of the cut",
            "explore": found.explore,
            "estimator": HEADLINE,
        },
        "log": {
            "impressions": len(found.log),
            "decisions": found.log.decisions,
            "customers": len(found.log.customers),
            "left_out": found.log.left_out,
            "learnt_from": found.learnt_from,
        },
        "logged": {
            name: one if isinstance(one, str) else asdict(one) for name, one in found.logged.items()
        },
        "policies": {
            policy: {name: _judged(one) for name, one in measures.items()}
            for policy, measures in found.policies.items()
        },
        "notes": list(found.notes),
    }


def _protocol(found: Replay) -> Iterator[str]:
    log = found.log
    yield (
        f"{counted(len(log), 'impression')} in {counted(log.decisions, 'decision')} for "
        f"{counted(len(log.customers), 'customer')}, {found.at:{MINUTE}} to {found.until:{MINUTE}}"
    )
    version = f"model {found.model_version} of" if found.model_version else "by a model of"
    yield (
        f"Lists as of the cut, {version} {pd.Timestamp(found.model_at):{MINUTE}}; "
        "estimator: doubly robust"
    )
    if found.explore:
        yield f"Each policy draws {found.explore:.0%} of its lists evenly from the valid offers."
    else:
        yield "A list is fixed: only impressions at its very places count; --explore adds others."
    for why, n in log.left_out.items():
        yield f"Left out: {counted(n, 'impression')} {why}."


def _values(name: str, logged: Estimate, judged: dict[str, Judged], answers: float) -> Table:
    title = f"{TITLES[name]} of shown positions in %, 95 % interval ({answers:,.0f} logged)"
    table = Table(title=title, title_justify="left")
    table.add_column("policy")
    table.add_column("value", justify="right")
    table.add_column("more than logged", justify="right")
    table.add_column("worth", justify="right")
    table.add_column("largest", justify="right")
    table.add_column("verdict")
    table.add_row("as logged", _span(logged), "", f"{logged.n:,}", "1.0", "measured")
    for policy, one in judged.items():
        overlap, reads = one.overlap, one.overlap.estimable
        table.add_row(
            policy,
            _span(one.estimates[HEADLINE]) if reads else "-",
            _span(one.gain, sign="+") if reads else "-",
            f"{overlap.effective_sample_size:,.0f}",
            f"{overlap.largest_weight:,.1f}",
            ESTIMABLE if reads else NOT_ESTIMABLE,
        )
    return table


def _clipping(name: str, judged: dict[str, Judged]) -> Table | None:
    """Show the value, and what its rows are worth, with weights clipped at each level."""
    shown = {policy: one for policy, one in judged.items() if one.overlap.estimable}
    levels = sorted({clipped.level for one in shown.values() for clipped in one.clipping})
    if len(levels) < 2:
        return None
    table = Table(
        title=f"{TITLES[name]} in % with weights clipped, and worth", title_justify="left"
    )
    table.add_column("policy")
    for level in levels:
        table.add_column("none" if math.isinf(level) else f"at {level:g}", justify="right")
    for policy, one in shown.items():
        cells = {
            clipped.level: f"{100 * clipped.estimate.value:.2f}\n"
            f"{clipped.estimate.effective_sample_size:,.0f}"
            for clipped in one.clipping
        }
        table.add_row(policy, *(cells.get(level, "") for level in levels))
    return table


def _span(one: Estimate | PolicyEstimate, sign: str = "") -> str:
    # A rate is not below zero, though a normal interval of a small one is.
    low = one.low if sign else max(0.0, one.low)
    return f"{100 * one.value:{sign}.2f} ({100 * low:{sign}.2f} to {100 * one.high:{sign}.2f})"


def _judged(one: Judged) -> dict[str, Any]:
    headline = one.estimates[HEADLINE]
    return {
        "verdict": one.overlap.verdict,
        "estimable": one.overlap.estimable,
        "value": headline.value,
        "low": headline.low,
        "high": headline.high,
        "more_than_logged": {
            name: getattr(one.gain, name) for name in ("value", "low", "high", "standard_error")
        },
        "overlap": {
            name: value for name, value in asdict(one.overlap).items() if name != "reasons"
        },
        "estimates": {name: asdict(estimate) for name, estimate in one.estimates.items()},
        "clipping": [
            {"level": clipped.level, **asdict(clipped.estimate)} for clipped in one.clipping
        ],
    }
