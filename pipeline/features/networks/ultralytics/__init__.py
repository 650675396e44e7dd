"""Detectors of ultralytics, and their exports."""
