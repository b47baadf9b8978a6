"""Fitting the six sources at one moment."""
