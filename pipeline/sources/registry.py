"""The sources by the names that settings give them."""

from collections.abc import Mapping

from pipeline.sources.base import Source
from pipeline.sources.nus_wide.source import NusWideSource
from pipeline.sources.sample.source import SampleSource
from pipeline.sources.table import TableSource

SOURCES: Mapping[str, type[Source]] = {
    "sample": SampleSource,
    "table": TableSource,
    "nus-wide": NusWideSource,
}
