"""Recommenders: from a post to a score for each tag."""
