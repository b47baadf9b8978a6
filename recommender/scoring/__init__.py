"""What the six sources and their sum are made of: parts, traits, terms."""
