"""A network of darknet's as a torch module."""

from collections.abc import Sequence

from torch import Tensor, nn

from pipeline.errors import InputError
from pipeline.features.networks.darknet import cfg, layers
from pipeline.features.networks.darknet.region import Region


class Darknet(nn.Module):
    """The layers of an architecture: pixels (B, channels, H, W), float32 from 0 to 1, to the last layer's output.

    `layers` are numbered as darknet numbers them, and `sources` are the layers that each takes its input from, -1 being
    the pixels. Raises InputError when layers do not fit together.
    """

    def __init__(self, architecture: cfg.Architecture):
        super().__init__()
        self.layers, self.sources = nn.ModuleList(), []
        channels = {-1: architecture.net.channels}
        for number, section in enumerate(architecture.layers):
            try:
                sources = _sources(section, number)
                layer, channels[number] = _layer(section, [channels[source] for source in sources])
            except ValueError as error:
                kind = next(kind for kind, known in cfg.SECTIONS.items() if type(section) is known)
                raise InputError(f"{architecture.name}: layer {number}, [{kind}]: {error}.") from None
            self.layers.append(layer)
            self.sources.append(sources)
        if not self.layers:
            raise InputError(f"{architecture.name} has no layers.")
        self.last_use = {source: number for number, sources in enumerate(self.sources) for source in sources}

    @property
    def convolutions(self) -> list[layers.Convolution]:
        """Returns the layers that have weights, in the order of the file."""
        return [layer for layer in self.layers if isinstance(layer, layers.Convolution)]

    def forward(self, pixels: Tensor) -> Tensor:
        outputs = {-1: pixels}
        for number, (layer, sources) in enumerate(zip(self.layers, self.sources, strict=True)):
            outputs[number] = layer(*(outputs[source] for source in sources))
            for source in set(sources):
                if self.last_use[source] == number:
                    del outputs[source]  # A whole network's maps would fill the memory.
        return outputs[len(self.layers) - 1]


def _sources(section: cfg.Section, number: int) -> list[int]:
    """Returns the layers that a layer takes its input from."""
    if not isinstance(section, cfg.Route):
        return [number - 1]
    sources = [layer + number if layer < 0 else layer for layer in section.layers]
    for given, source in zip(section.layers, sources, strict=True):
        if not 0 <= source < number:
            raise ValueError(f"there is no layer {given} before it")
    return sources


def _layer(section: cfg.Section, channels: Sequence[int]) -> tuple[nn.Module, int]:
    """Builds a layer for inputs of so many channels. Returns it and the channels of its output."""
    (given, *_) = channels
    match section:
        case cfg.Convolutional(filters=filters, groups=groups):
            if given % groups or filters % groups:
                raise ValueError(f"{groups} groups divide {given} channels and {filters} filters unequally")
            return layers.Convolution(section, given), filters
        case cfg.MaxPool(size=size, stride=stride, padding=padding):
            return layers.MaxPool(size, stride, padding), given
        case cfg.Route():
            return layers.Route(), sum(channels)
        case cfg.Reorg(stride=stride):
            if given % stride**2:
                raise ValueError(f"{given} channels are not a multiple of the stride's square, {stride**2}")
            return layers.Reorg(stride), given * stride**2
        case cfg.AvgPool():
            return layers.AvgPool(), given
        case cfg.Softmax():
            return layers.Softmax(), given
        case cfg.Region(classes=classes, num=num, anchors=anchors):
            if given != num * (5 + classes):
                raise ValueError(f"{num} anchors of {classes} classes take {num * (5 + classes)} channels, not {given}")
            return Region(classes, anchors), given
        case cfg.Dropout() | cfg.Cost():
            return nn.Identity(), given
    raise ValueError("it has no place among the layers")
