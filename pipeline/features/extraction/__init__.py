"""Runs extractors over photos: resumable, on one machine or a cluster."""
