"""Fits models, and chooses their settings."""
