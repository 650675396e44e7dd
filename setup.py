"""The folders that an installation puts next to `tagrec.py`, all in one of the project's own name.

In other people's environments the names of the folders (pipeline, stages, project, commands) stay free.
"""

from setuptools import find_namespace_packages, setup

HOME = "image_tag_recommendation"
"""The folder of an installation, as `tagrec.py` knows it."""

FOLDERS = [
    folder
    for room in ("commands", "pipeline", "project", "stages")
    for folder in find_namespace_packages(include=[room, f"{room}.*"])
    if "__pycache__" not in folder
]

setup(
    packages=[f"{HOME}.{folder}" for folder in FOLDERS],
    package_dir={f"{HOME}.{folder}": folder.replace(".", "/") for folder in FOLDERS},
    package_data={"": ["*"]},
)
