"""Darknet's network files (.cfg): sections of key=value lines, read into typed descriptions of layers.

This reads the sections that YOLOv2, its tiny sister and Darknet-19 are made of. A section or a key that it does not
know is refused, because it may change the numbers; keys that only training uses are left out.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PositiveInt, ValidationError, model_validator

from pipeline.errors import InputError


def _parts(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


class Section(BaseModel):
    """A section: its keys are fields, with darknet's defaults; `training` lists those that do not matter here."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    training: ClassVar[frozenset[str]] = frozenset()


class Net(Section):
    """The input; a fully convolutional network takes pictures of other sizes as well."""

    training = _words("""
        batch subdivisions momentum decay learning_rate burn_in max_batches policy power steps scales step scale gamma
        angle saturation exposure hue aspect min_crop max_crop
    """)
    width: PositiveInt = Field(
        description="Width of the pictures that it is meant for, in pixels; others can be chosen."
    )
    height: PositiveInt = Field(description="Height of the pictures that it is meant for, in pixels.")
    channels: PositiveInt = Field(description="Channels of a picture: 3, red, green and blue.")


class Convolutional(Section):
    """A convolution, batch normalisation where it has one, and an activation."""

    filters: PositiveInt = Field(1, description="Feature maps that it makes.")
    size: PositiveInt = Field(1, description="Of its kernels, each way.")
    stride: PositiveInt = Field(1, description="Each way.")
    pad: bool = Field(False, description="True to lay half a kernel of zeros around the map, instead of `padding`.")
    padding: int = Field(0, ge=0, description="Zeros around the map.")
    groups: PositiveInt = Field(1, description="Parts of the channels that are convolved by themselves.")
    batch_normalize: bool = Field(False, description="True if scales, means and variances follow the biases.")
    activation: Literal["leaky", "linear"] = Field(description="leaky: a tenth of negative numbers; linear: none.")

    @property
    def border(self) -> int:
        return self.size // 2 if self.pad else self.padding


class MaxPool(Section):
    """The maximum of each window."""

    size: PositiveInt = Field(description="Of the window, each way.")
    stride: PositiveInt = Field(description="Each way.")
    padding: int | None = Field(None, ge=0, description="Added to height and width, half before; size - 1 when absent.")


class Route(Section):
    """The maps of earlier layers, one after the other."""

    layers: Annotated[tuple[int, ...], BeforeValidator(_parts)] = Field(
        min_length=1, description="Numbers of layers, from 0; negative ones count back from this layer."
    )


class Reorg(Section):
    """A map of a finer resolution as more channels of a coarser one."""

    stride: PositiveInt = Field(1, description="The factor by which the map becomes coarser, each way.")


class AvgPool(Section):
    """The mean over the whole map."""


class Softmax(Section):
    """The step from scores to probabilities."""

    groups: int = Field(1, ge=1, le=1, description="Sets of classes, each with probabilities of its own.")


class Dropout(Section):
    """Nothing, except in training."""

    training = frozenset({"probability"})


class Cost(Section):
    """Nothing, except in training."""

    training = frozenset({"type"})


class Region(Section):
    """YOLOv2's head: boxes relative to anchors, an objectness and class scores for each anchor of each cell."""

    # bias_match and absolute choose the comparison of boxes with the truth; thresh is the overlap that makes a match.
    training = _words("""
        absolute bias_match class_scale coord_scale jitter max noobject_scale object_scale random rescore thresh
    """)
    anchors: Annotated[tuple[float, ...], BeforeValidator(_parts)] = Field(description="Width, height, …, in cells.")
    classes: PositiveInt = Field(description="Classes that it distinguishes.")
    coords: int = Field(4, ge=4, le=4, description="Numbers of a box: x, y, width and height.")
    num: PositiveInt = Field(1, description="Anchors.")
    softmax: Literal["1"] = Field(description="Class scores of an anchor sum to 1, as in all published YOLOv2.")

    @model_validator(mode="after")
    def anchors_are_pairs(self) -> Self:
        if len(self.anchors) != 2 * self.num:
            raise ValueError(f"{self.num} anchors are {2 * self.num} numbers; there are {len(self.anchors)}")
        return self


SECTIONS: dict[str, type[Section]] = {
    "net": Net,
    "convolutional": Convolutional,
    "maxpool": MaxPool,
    "route": Route,
    "reorg": Reorg,
    "avgpool": AvgPool,
    "softmax": Softmax,
    "dropout": Dropout,
    "cost": Cost,
    "region": Region,
}
"""The sections that are understood, by their names in the file."""


@dataclass(frozen=True)
class Architecture:
    """A network as its file describes it: `name` is the file's, and layers are numbered from 0, as routes count."""

    name: str
    net: Net
    layers: tuple[Section, ...]

    def up_to_last_map(self) -> Self:
        """Returns the layers before the last convolution, which classifies.

        Raises InputError when there is no convolution.
        """
        convolutions = [number for number, layer in enumerate(self.layers) if isinstance(layer, Convolutional)]
        if not convolutions or convolutions[-1] == 0:
            raise InputError(f"{self.name} has no layers before a classifying convolution: it is not a classifier.")
        return replace(self, layers=self.layers[: convolutions[-1]])


def read_cfg(path: Path) -> Architecture:
    """Reads the network of a .cfg file.

    Raises InputError, naming line or section, for a file that is missing or of another kind, and for sections and keys
    that this reader does not know.
    """
    try:
        return parse(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: put the network's .cfg there.") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a darknet .cfg: it is not text.") from None


def parse(text: str, name: str) -> Architecture:
    """Reads a network from the text of a file, which errors call `name`."""
    sections: list[tuple[str, int, dict[str, str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        line = "".join(line.split())  # As darknet does: blanks mean nothing anywhere.
        if not line or line[0] in "#;":
            continue
        key, equals, value = line.partition("=")
        if line[0] == "[" and line[-1] == "]":
            sections.append((line[1:-1], number, {}))
        elif not equals or not sections:
            raise InputError(
                f"{name}, line {number}: {line!r} is neither a section nor a key with a value: correct it."
            )
        elif key in sections[-1][2]:
            raise InputError(f"{name}, line {number}: {key} is twice in its section: keep one of them.")
        else:
            sections[-1][2][key] = value
    read = [_section(kind, options, f"{name}, line {number}") for kind, number, options in sections]
    if not read or not isinstance(read[0], Net) or any(isinstance(section, Net) for section in read[1:]):
        raise InputError(f"{name} is not a darknet .cfg: it must begin with its only [net].")
    return Architecture(name, read[0], tuple(read[1:]))


def _section(kind: str, options: dict[str, str], where: str) -> Section:
    if kind not in SECTIONS:
        raise InputError(f"{where}: sections [{kind}] are not supported; {', '.join(SECTIONS)} are.")
    section = SECTIONS[kind]
    try:
        return section.model_validate({key: value for key, value in options.items() if key not in section.training})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"][:1]))
        if first["type"] == "extra_forbidden":
            known = ", ".join([*section.model_fields, *sorted(section.training)])
            raise InputError(
                f"{where}: the key {key} of [{kind}] may change the numbers and is not supported; {known} are."
            ) from None
        if first["type"] == "missing":
            raise InputError(f"{where}: [{kind}] lacks the key {key}: give it a value.") from None
        reason = first["msg"].removeprefix("Value error, ")
        given = f"{key} of [{kind}] is {options[key]}; " if key else f"[{kind}]: "
        raise InputError(f"{where}: {given}{reason[0].lower() + reason[1:]}.") from None
