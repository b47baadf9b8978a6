"""A synthetic world with known truth: people, what they buy, what they are offered and take."""

from data.synthetic.parameters import PRESETS, WorldParameters
from data.synthetic.world import count_steps, generate, write_world

__all__ = ["PRESETS", "WorldParameters", "count_steps", "generate", "write_world"]
