"""The recipe of a model: every choice that is not learnt from the data by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters, good without tuning; `recommender.learning.tuning` searches the first five.

    Attributes
    ----------
    factors : int
        Factors of the ALS.
    regularization : float
        Of the ALS; not relative to the size of the data.
    alpha : float
        Confidence of the ALS in what was taken, in multiples of the share of pairs taken to the
        power of -.5: the fewer, the more one tells.
    penalty : float
        Of the autoencoder, in multiples of the error of an entry of its Gram matrix by chance; the
        usual one is replaced where past lists ask for another (`learning.autoencoder_penalty`).
    strength : float
        How far the hybrid's weights are held to what is believed before, in offers taken.
    learn_from_suspects : bool
        Learn also from interactions of customers flagged as possible fraud.
    """

    factors: int = 32
    regularization: float = 20.0
    alpha: float = 1.0
    penalty: float = 20.0
    strength: float = 30.0
    learn_from_suspects: bool = False

    def as_dict(self) -> Mapping[str, float]:
        """Return the choices by name."""
        return asdict(self)


DEFAULT = Recipe()
