"""Personalised, image-aware tag recommendation: the library behind the stages.

Laid out in the order in which the data flows: `sources` (photos, owners, tags), `folksonomy` (refinement, split),
`vision` (image and object features), `store`, `models`, `training`, `evaluation`, `report`. Nothing here knows of DVC,
of `params.yaml` or of a command line.
"""
