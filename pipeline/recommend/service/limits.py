"""Bounds of what clients may ask of the service."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Numbers above which a request is refused, or its connection closed."""

    photo_bytes: int = 20_000_000
    """Bytes of a photo's file, counted while it is read."""
    pixels: int = 50_000_000
    """Pixels of a photo, read from its header before it is decoded."""
    photos: int = 64
    """Photos of one request."""
    fields: int = 512
    """Fields of one form, photos included."""
    text_bytes: int = 4_096
    """Bytes of one field that is not a photo."""
    json_bytes: int = 2_000_000
    """Bytes of a request in JSON."""
    uploading_bytes: int = 256_000_000
    """Bytes of photos that all requests together may hold before they are prepared."""
    waiting: int = 256
    """Photos that wait for the networks."""
    batch: int = 16
    """Photos that the networks compute at once."""
    connections: int = 512
    """Open connections."""
    idle_seconds: float = 15.0
    """Seconds of a connection without a request, or of an upload without a byte."""
    upload_seconds: float = 120.0
    """Seconds of a whole upload."""
    processes: int = 1
    """Processes that prepare photos."""
    photo_seconds: float = 20.0
    """Seconds in which a photo must be prepared."""
    drain_seconds: float = 60.0
    """Seconds that requests under way have when the service stops."""
    held_bytes: int = 256_000_000
    """Bytes of prepared photos and vectors that are kept in memory, for ranking again and for acceptance."""
    held_users: int = 64
    """Users whose accepted posts are kept folded in."""
    journal_bytes: int = 50_000_000_000
    """Bytes of the journal."""
