"""The stages of dvc.yaml, a file each: read, call `pipeline`, write, and return a line about what was made."""

from project.interrupt import show_plainly

show_plainly()
