"""The import of the library ultralytics, without its side effects."""

import atexit
import os
import shutil
import sys
import tempfile
from importlib import import_module
from types import ModuleType

from PIL import Image

from pipeline.features.networks.torchvision.library import import_torchvision


def import_ultralytics(module: str = "ultralytics") -> ModuleType:
    """Imports a module of ultralytics without telemetry, installations and files that outlive the process.

    Settings that the environment has already stay. Ultralytics replaces `Image.open` by a function that tries to
    install a package when a file is not an image: Pillow's own is put back.
    """
    if "ultralytics" not in sys.modules:
        os.environ.setdefault("YOLO_OFFLINE", "true")
        os.environ.setdefault("YOLO_AUTOINSTALL", "false")
        os.environ.setdefault("YOLO_VERBOSE", "false")
        if "YOLO_CONFIG_DIR" not in os.environ:
            os.environ["YOLO_CONFIG_DIR"] = folder = tempfile.mkdtemp(prefix="ultralytics-")
            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        import_torchvision()  # Lightly, before ultralytics does.
        pillows = Image.open
        import_module("ultralytics.utils.patches")
        Image.open = pillows
    return import_module(module)
