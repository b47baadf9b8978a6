"""Answers requests over HTTP."""
