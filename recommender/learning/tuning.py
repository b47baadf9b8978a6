"""Searching hyper-parameters on past moments, never on what lists are judged by afterwards.

Each try learns its weights on all past moments but one and is judged on that one, in turn; a random
search (Bergstra & Bengio 2012) within a budget of tries. Defaults are kept unless a try is better
by more than chance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from data.words import counted
from recommender.base import Query
from recommender.learning.weights import learn, learn_within
from recommender.learning.yardstick import BLOCK, RESAMPLES, compare, ndcg
from recommender.model import Recommender
from recommender.past.fold import Fold
from recommender.past.judging import Judged, Setting, judge
from recommender.past.layout import Score, in_chunks, score_listed
from recommender.recipe import DEFAULT, Recipe

CHOICES: dict[str, tuple[float, ...]] = {
    "factors": (16, 32, 64, 128),
    "regularization": (5.0, 20.0, 80.0),
    "alpha": (0.3, 1.0, 3.0),
    "penalty": (7.0, 20.0, 60.0),
    "strength": (10.0, 30.0, 100.0, 300.0),
}
SURE = 0.05  # p-value below which a try replaces the default


@dataclass(frozen=True)
class Tuned:
    """What the search found.

    Attributes
    ----------
    recipe : Recipe
        The one that was given, or a try that is better by more than chance.
    tried : tuple of (Recipe, float)
        Every try with its NDCG@10, the one that was given first.
    """

    recipe: Recipe
    tried: tuple[tuple[Recipe, float], ...]

    def told(self) -> str:
        """Say in a sentence what was found."""
        best = max(value for _, value in self.tried)
        usual = self.tried[0][0]
        if self.recipe == usual:
            return (
                f"Of {counted(len(self.tried) - 1, 'try', 'tries')} none is surely better than the "
                f"defaults (NDCG@10 {self.tried[0][1]:.4f}, the best try {best:.4f}): they stand."
            )
        changed = ", ".join(
            f"{name} {getattr(self.recipe, name):g}"
            for name in CHOICES
            if getattr(self.recipe, name) != getattr(usual, name)
        )
        return f"Tuned: {changed} (NDCG@10 {best:.4f} instead of {self.tried[0][1]:.4f})."


def tune(
    folds: Sequence[Fold],
    setting: Setting,
    *,
    tries: int = 12,
    recipe: Recipe = DEFAULT,
    on_step: Callable[[str], None] = lambda _: None,
) -> Tuned:
    """Search for a better recipe on past moments.

    Parameters
    ----------
    folds : sequence of Fold
        The moments.
    setting : Setting
        What they share.
    tries : int
        How many recipes beside the default are tried.
    recipe : Recipe
        What is tried first, and varied.
    on_step : callable
        Told the name of each of the 1 + `tries` steps as it begins.
    """
    seed = setting.seed
    random = np.random.default_rng(seed)
    recipes = [recipe]
    while len(recipes) <= tries:
        drawn = {name: random.choice(values).item() for name, values in CHOICES.items()}
        drawn["factors"] = int(drawn["factors"])
        # Beside one that past lists chose already; and never the usual one, for which a later
        # training by this recipe would choose again.
        drawn["penalty"] *= recipe.penalty / DEFAULT.penalty
        recipes.append(replace(recipe, **drawn))
    values = []
    for number, one in enumerate(recipes):
        on_step(f"try {number} of {tries}" if number else "the defaults")
        judged = [judge(fold, setting, one) for fold in folds]
        values.append(_judge(judged, one, seed))
    tried = tuple(
        (one, float(value.mean()) if len(value) else 0.0)
        for one, value in zip(recipes, values, strict=True)
    )
    best = max(range(len(tried)), key=lambda number: tried[number][1])
    # The best of many tries is best by chance, too: the level is shared among them.
    level, flips = SURE / max(1, tries), max(RESAMPLES, BLOCK * tries)
    sure = best and compare(values[best], values[0], seed, flips).p_value < level
    return Tuned(recipes[best if sure else 0], tried)


def _judge(judged: list[Judged], recipe: Recipe, seed: int) -> np.ndarray:
    """Judge each moment by weights learnt on the others: NDCG@10 per customer."""
    found = []
    for row, part in enumerate(judged):
        others = [one for number, one in enumerate(judged) if number != row]
        model = learn(part.fitted, others, learn_within(others), seed, recipe)
        query = part.fitted.query.take(part.whole.rows)
        for rows in in_chunks(query):
            lists = part.whole.take(rows)
            score = score_listed(_scores(model), query.take(rows), lists)[0]
            found.append(ndcg(score, lists.taken, lists.candidate))
    return np.concatenate(found) if found else np.empty(0)


def _scores(model: Recommender) -> Score:
    def score(query: Query, columns: np.ndarray | None = None) -> np.ndarray:
        found = model.blend(query).score
        return (found if columns is None else np.take_along_axis(found, columns, axis=1))[None]

    return score
