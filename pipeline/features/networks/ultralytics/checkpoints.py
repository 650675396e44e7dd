"""Files of ultralytics' networks: its own checkpoints, which are pickles, and safetensors, which hold no code."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from pipeline.errors import InputError, SettingError
from pipeline.features.networks.ultralytics.library import import_ultralytics
from pipeline.features.networks.weights import read_safetensors, write_state

PLAIN = ".safetensors"
"""The suffix of a file with a network's state, and in its metadata the architecture as JSON."""
ARCHITECTURE = "architecture"
"""The key of the metadata: a single JSON text, for safetensors orders several at random."""
CLASSES = ("DetectionModel", "RTDETRDetectionModel")
"""The classes of ultralytics that are nothing but their architecture and their state."""


def read_checkpoint(path: Path) -> nn.Module:
    """Reads a network of ultralytics from a file of either form; runs no code of the file.

    Raises InputError for a file that holds none.
    """
    tasks = import_ultralytics("ultralytics.nn.tasks")
    # Builds networks of known layers alone. ULTRALYTICS_SAFE_LOAD would come too late where it is imported already.
    tasks.SAFE_LOAD = True
    return _read_plain(path, tasks) if path.suffix == PLAIN else _read_pickled(path, tasks)


def _read_pickled(path: Path, tasks: Any) -> nn.Module:
    with TemporaryDirectory(prefix="detector-") as folder:
        # Ultralytics loads another file than it is given where the name has a quotation mark, or is that of an old
        # release (yolov5n.pt) with a newer one (yolov5nu.pt) in the same folder. So it gets a name that means nothing.
        link = Path(folder) / "weights.pt"
        link.symlink_to(path.resolve())
        try:
            network, _ = tasks.load_checkpoint(link)
        except Exception as error:  # Whatever a file's contents make ultralytics and torch stumble over.
            raise InputError(
                f"{path} is not a checkpoint that ultralytics loads without running code: it is cut short, of another "
                "kind, or holds code. Get it again, or take another."
            ) from error
    if not isinstance(network, tasks.BaseModel):
        raise InputError(f"{path} holds a {type(network).__name__}, which is not a model of ultralytics.")
    return network


def _read_plain(path: Path, tasks: Any) -> nn.Module:
    state = read_safetensors(path)
    try:
        with safe_open(path, "pt") as file:
            described = json.loads(file.metadata()[ARCHITECTURE])
        # Its weights are drawn before they are replaced; torch's own generator stays as it was.
        with torch.random.fork_rng(devices=[]):
            network = getattr(tasks, CLASSES[CLASSES.index(described["class"])])(described["layers"], verbose=False)
        network.load_state_dict(state)
        network.names = dict(enumerate(described["names"]))
    except Exception as error:  # As above.
        raise InputError(f"{path} holds no network of ultralytics, as this project writes them.") from error
    network.task = "detect"
    return network.eval()


def write_plain(network: nn.Module, path: Path) -> Path:
    """Writes a network as safetensors. Returns the path.

    Raises SettingError for a network of a class that its architecture does not make up.
    """
    kind = type(network).__name__
    if kind not in CLASSES:
        raise SettingError("detector", f"is a {kind}, which cannot be written without code: choose named weights.")
    names = [network.names[number] for number in range(len(network.names))]
    described = {"class": kind, "layers": network.yaml, "names": names}
    return write_state(network, path, {ARCHITECTURE: json.dumps(described)})
