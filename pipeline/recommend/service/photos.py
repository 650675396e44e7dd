"""Recently sent photos, prepared and with their vectors: for ranking again, and for acceptance."""

from collections import OrderedDict

from pipeline.recommend.service.journal import HeldPhoto


class HeldPhotos:
    """Photos in memory, by hash; the least recently used are dropped when there are more than `most` bytes."""

    def __init__(self, most: int):
        self._most = most
        self._photos: OrderedDict[str, HeldPhoto] = OrderedDict()
        self.bytes = 0

    def add(self, photo: HeldPhoto) -> None:
        """Adds a photo, in the place of an earlier one of that hash."""
        self._drop(photo.hash)
        self._photos[photo.hash] = photo
        self.bytes += _size(photo)
        while self.bytes > self._most:
            self._drop(next(iter(self._photos)))

    def get(self, hash: str) -> HeldPhoto | None:
        """Returns a photo, None if it is not held."""
        if hash in self._photos:
            self._photos.move_to_end(hash)
        return self._photos.get(hash)

    def _drop(self, hash: str) -> None:
        if hash in self._photos:
            self.bytes -= _size(self._photos.pop(hash))


def _size(photo: HeldPhoto) -> int:
    return len(photo.jpeg) + sum(vector.nbytes for vector in photo.vectors.values())
