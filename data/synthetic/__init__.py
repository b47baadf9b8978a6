"""A synthetic world with known truth: people, what they buy, what they are offered and take."""

from data.synthetic.parameters import WorldParameters
from data.synthetic.world import generate

__all__ = ["WorldParameters", "generate"]
