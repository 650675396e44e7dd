"""Personalised, image-aware tag recommendation as a library: from posts and photos to models and a report.

It takes settings as typed objects and raises the errors of `pipeline.errors`; parameter files, flags and the order of
the steps belong to the project around it.
"""
