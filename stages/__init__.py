"""The stages of dvc.yaml, a file each: read, call `pipeline`, write, and return a line about what was made."""

from project.interrupt import install_excepthook

install_excepthook()
