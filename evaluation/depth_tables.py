"""What stands behind the headline, on a terminal of 100 columns."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from data.console import WIDTH
from evaluation.depth.baselines import ORACLE
from evaluation.depth.depth import Depth
from evaluation.harness import HEADLINE
from evaluation.wording import SURE, told_exposure, told_gap
from recommender.base import HYBRID
from recommender.learning.yardstick import Difference


def print_depth(depth: Depth, console: Console) -> None:
    """Print baselines, ranking among what was shown, and the slices that stand out."""
    _print_baselines(depth, console)
    _print_shown(depth, console)
    _print_knowledge(depth, console)
    _print_slices(depth, console)
    _print_other_splits(depth, console)
    for attribute, found in depth.exposure.items():
        console.print(f"Exposure by {attribute}: {told_exposure(found)}")
    if isinstance(depth.reliability, str):
        console.print(f"Truth of probabilities: {depth.reliability}")
    else:
        console.print(f"Truth of probabilities: slope {depth.reliability.slope:.2f} (1 is right)")


def _print_baselines(depth: Depth, console: Console) -> None:
    slices = [
        name
        for name, rivals in depth.baselines.items()
        if any(one.metrics[HEADLINE].n for one in rivals.values())
    ]
    table = Table(
        title="Tuned baselines: NDCG@10, and what the hybrid gains over them (* p < 0.05, Holm)",
        title_justify="left",
    )
    table.add_column("baseline")
    for name in slices:
        table.add_column(name, justify="right")
    for baseline in depth.baselines[slices[0]] if slices else ():
        cells = []
        for name in slices:
            one = depth.baselines[name][baseline]
            value = f"{one.metrics[HEADLINE].value:.3f}"
            gap = "" if baseline == ORACLE else f" {_short(one.hybrid, one.p_holm)}"
            cells.append(value + gap)
        table.add_row(baseline, *cells)
    console.print(table)
    for name, why in depth.left_out.items():
        console.print(f"Baseline {name} is left out: {why}", style="dim")


def _short(gap: Difference | None, p_value: float) -> str:
    if gap is None or not gap.n:
        return ""
    return f"{gap.value:+.3f}{'*' if p_value < SURE else ' '}"


def _print_shown(depth: Depth, console: Console) -> None:
    shown = depth.shown
    if isinstance(shown, str):
        console.print(f"Among what was shown: {shown}")
        return
    table = Table(
        title=f"Among what customers were shown (n = {shown.customers:,}): NDCG@10 (* p < 0.05)",
        title_justify="left",
    )
    table.add_column("policy")
    table.add_column("ndcg, 95% interval", justify="right")
    table.add_column("hybrid is better by", justify="right")
    for policy, one in shown.policies.items():
        gap = shown.against.get(policy)
        told = "" if policy == HYBRID else told_gap(gap, 1.0 if gap is None else gap.p_value)
        table.add_row(policy, f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})", told)
    console.print(table)


def _print_knowledge(depth: Depth, console: Console) -> None:
    if isinstance(depth.knowledge, str):
        console.print(f"By what is known of a customer: {depth.knowledge}")
        return
    table = Table(title="The same customers, told less and more", title_justify="left")
    table.add_column("known")
    table.add_column("ndcg, 95% interval", justify="right")
    for name, one in depth.knowledge.items():
        table.add_row(name, f"{one.value:.3f} ({one.low:.3f}-{one.high:.3f})")
    console.print(table)


def _print_slices(depth: Depth, console: Console) -> None:
    found = depth.slices
    table = Table(
        title=f"Slices: the hybrid beside {found.rival}, NDCG@10 (* p < 0.05, Holm)",
        title_justify="left",
    )
    table.add_column("slice")
    for name in ("n", "hybrid", found.rival, "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in found.slices:
        if one.hybrid is None or one.rival is None:
            table.add_row(one.label, f"{one.n:,}", "too few", "", "")
            continue
        gap = told_gap(one.difference, one.p_holm)
        figures = f"{one.hybrid.value:.3f}", f"{one.rival.value:.3f}", gap
        table.add_row(one.label, f"{one.n:,}", *figures)
    console.print(table, width=min(WIDTH, console.width))
    if found.lowest:
        console.print(
            f"The lowest slice is {found.lowest}; the hybrid gains least in {found.weakest}."
        )


def _print_other_splits(depth: Depth, console: Console) -> None:
    if not depth.other_splits:
        return
    table = Table(
        title="Other splits: the hybrid beside the most redeemed offers, NDCG@10 (* p < 0.05)",
        title_justify="left",
    )
    table.add_column("split")
    for name in ("n", "hybrid", "most redeemed", "difference"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, one in depth.other_splits.items():
        if isinstance(one, str):
            table.add_row(f"{name}: {one}", "", "", "", "")
            continue
        told = f"{name} (leaks)" if one.leaky else name
        gap = told_gap(one.difference, one.difference.p_value)
        figures = f"{one.hybrid.value:.3f}", f"{one.most_redeemed.value:.3f}", gap
        table.add_row(told, f"{one.hybrid.n:,}", *figures)
    console.print(table, width=min(WIDTH, console.width))
