"""The names of networks that are known without importing the libraries that have them."""

import timm

from pipeline.features.networks.names import registered_models
from pipeline.features.networks.torchvision.library import import_torchvision
from pipeline.features.networks.ultralytics.library import import_ultralytics
from pipeline.features.networks.ultralytics.published import DETECTORS


def test_registered_models_are_those_that_the_libraries_list():
    models = import_torchvision("torchvision.models")
    assert sorted(registered_models("torchvision")) == models.list_models(module=models)
    assert sorted(registered_models("timm")) == sorted(timm.list_models())


def test_the_published_detectors_are_those_of_ultralytics():
    """Its list has other tasks as well, and some detectors of other classes than COCO's."""
    known = import_ultralytics("ultralytics.utils.downloads").GITHUB_ASSETS_NAMES
    assert set(DETECTORS) <= known
    plain = {name for name in known if name.startswith(("yolov", "yolo1", "rtdetr")) and "-" not in name}
    assert plain <= set(DETECTORS)
