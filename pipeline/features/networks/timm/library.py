"""The library timm: whether it is installed, and its models' names, without importing it."""

from importlib.util import find_spec

from pipeline.errors import InputError
from pipeline.features.networks.names import registered_models, require_name

SUGGESTED_MODELS = ("vit_small_patch14_dinov2.lvd142m", "resnet50.a1_in1k")
"""Models that are suggested where no name is similar."""


def require_backbone(name: str) -> None:
    """Raises SettingError, with similar names, for a model that timm does not have, whatever its weights' name.

    Raises InputError where timm is not installed.
    """
    if find_spec("timm") is None:
        raise not_installed("timm")
    known = registered_models("timm")
    if name.partition(".")[0] not in known:
        require_name(name, known, "timm", SUGGESTED_MODELS)


def not_installed(package: str) -> InputError:
    """Returns the error for a package that timm's models need."""
    return InputError(f"Models of timm need the package {package}, which is not installed: pip install '.[timm]'.")
