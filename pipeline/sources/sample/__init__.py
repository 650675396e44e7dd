"""The embedded sample: simulated users, rendered photos, and a detector of its own.

`scene` holds the content of a photo, `render` draws it (with `places`, `things` and their drawings), `people` decides
who photographs what and in which `words` they tag it, and `sample` puts it all together. `detector.pt` was trained by
`scripts/train_sample_detector.py`; `detector.json` records how. `source` is the entry point.
"""
