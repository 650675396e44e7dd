"""The sources by their names in the settings, in the order in which they try to recognise data."""

from collections.abc import Mapping

from pipeline.sources.base import Source
from pipeline.sources.corpus.source import CorpusSource
from pipeline.sources.flickr_export.source import FlickrExportSource
from pipeline.sources.flickr_users.source import FlickrUsersSource
from pipeline.sources.folder.source import FolderSource
from pipeline.sources.nus_wide.source import NusWideSource
from pipeline.sources.sample.source import SampleSource
from pipeline.sources.table.source import TableSource

SOURCES: Mapping[str, type[Source]] = {
    "sample": SampleSource,
    "nus-wide": NusWideSource,
    "flickr": FlickrUsersSource,
    "flickr-export": FlickrExportSource,
    "corpus": CorpusSource,
    "table": TableSource,
    "folder": FolderSource,
}
