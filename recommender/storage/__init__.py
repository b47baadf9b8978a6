"""Bundles on disk: every model under its version, and how a person is taken out of them."""
