"""Pictures from disk, read by another thread while those before them are judged."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from app.errors import DataError
from app.types import Image

_AHEAD = 4

Read = Callable[[Path], Image]


@contextmanager
def read_ahead(paths: Sequence[Path], read: Read, find_golden: Callable[[str], object] | None = None) -> Iterator[Read]:
    """Reads pictures a few ahead, in order.

    Args:
        paths: The pictures, as they will be asked for.
        read: Reads one.
        find_golden: Reads the golden sample of a picture of this name and keeps it for who asks next.

    Yields:
        What gives the next picture of `paths`; it raises what `read` raised.
    """

    def read_with_golden(path: Path) -> Image:
        image = read(path)
        if find_golden is not None:
            with suppress(DataError):  # whoever judges the picture is told, and says which
                find_golden(path.name)
        return image

    with ThreadPoolExecutor(1, thread_name_prefix="reading") as pool:
        coming = iter(paths)
        read_by: deque[tuple[Path, Future[Image]]] = deque()

        def send(count: int) -> None:
            read_by.extend((path, pool.submit(read_with_golden, path)) for path in islice(coming, count))

        def next_of(path: Path) -> Image:
            due, future = read_by.popleft()
            assert due == path
            send(1)
            return future.result()

        send(_AHEAD)
        try:
            yield next_of
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
