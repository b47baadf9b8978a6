"""Whether an evaluation fools its reader."""
