"""The kinds of extractors. A new one is a file or package of its own and a line here."""

from collections.abc import Mapping
from functools import reduce
from operator import or_
from typing import Annotated

from pydantic import Field

from pipeline.features.config import ExtractorConfig
from pipeline.features.networks.darknet.config import Darknet19Config, Yolov2Config
from pipeline.features.networks.timm.config import TimmConfig
from pipeline.features.networks.torchvision.config import TorchvisionConfig
from pipeline.features.networks.ultralytics.config import UltralyticsConfig, UltralyticsExportConfig
from pipeline.features.place import PlaceConfig
from pipeline.features.vectors import VectorsConfig

EXTRACTORS: Mapping[str, type[ExtractorConfig]] = {
    "torchvision": TorchvisionConfig,
    "timm": TimmConfig,
    "darknet19": Darknet19Config,
    "yolov2": Yolov2Config,
    "ultralytics": UltralyticsConfig,
    "ultralytics-export": UltralyticsExportConfig,
    "place": PlaceConfig,
    "vectors": VectorsConfig,
}
"""The configuration of each kind, by the name that it has in a configuration."""

ExtractorUnion = Annotated[reduce(or_, EXTRACTORS.values()), Field(discriminator="kind")]
"""The configuration of any extractor, distinguished by its kind."""
