"""ExifTool, an independent reader of what is written; tests that need it are skipped where it is absent."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

needs_exiftool = pytest.mark.skipif(shutil.which("exiftool") is None, reason="exiftool is not installed")


def exiftool(file: Path) -> dict[str, object]:
    """Reads all fields of a file but its own name, size and times."""
    command = ["exiftool", "-json", "-G1", "-a", "-struct", "-b", "-charset", "iptc=utf8", str(file)]
    (fields,) = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)
    volatile = ("System:", "File:", "ExifTool:", "SourceFile", "XMP-x:XMPToolkit")
    return {key: value for key, value in fields.items() if not key.startswith(volatile)}


def foreign(fields: dict[str, object]) -> dict[str, object]:
    """Leaves out the fields that are written."""
    ours = {"XMP-dc:Subject", "XMP-digiKam:TagsList", "XMP-lr:HierarchicalSubject"}
    return {key: value for key, value in fields.items() if key not in ours}
