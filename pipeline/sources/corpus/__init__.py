"""Corpora as they are published: each is a file in `corpora`, and a reader where its form is new."""
