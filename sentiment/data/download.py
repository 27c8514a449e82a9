"""Where files come from: a mirror directory, a mirror's address, or the official address."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TypeVar

import pooch
import requests

from sentiment import files
from sentiment.errors import UserError

MIRROR = "../shared/imdb"  # beside the checkout, where there is one
TIMEOUT = 30  # seconds without a byte from a server before it counts as unreachable
RETRIES = 2

Content = TypeVar("Content")


def obtain(name: str, url: str, read: Callable[[Path], Content]) -> Content:
    """Return `read(path)` of the file `name` from the first source that has it.

    The sources are IMDB_MIRROR (a directory or an address), the mirror directory beside the
    checkout, and the official `url`. Downloads are kept in the user's cache folder, unless `read`
    refuses them.

    Raises:
        UserError: if no source has the file, with each source and why; or whatever `read` raises
            of a file's content, which no further source is asked to cover up.
    """
    failures = []
    for source in _sources(name, url):
        try:
            path = _download(name, source) if "://" in source else _local(Path(source))
        except (OSError, ValueError, requests.RequestException) as error:
            failures.append(f"  {source}: {_reason(error)}")
            continue
        print(f"{name}: from {source}")
        with removed_if_refused(path, source) if "://" in source else nullcontext():
            return read(path)
    raise UserError(
        f"{name} could not be had from any source:\n" + "\n".join(failures) + "\n"
        "Set IMDB_MIRROR to a directory or an address that holds a copy, "
        "or run `make demo`, which needs no data and no network."
    )


def download(url: str) -> Path:
    """Return the file at an address; it is downloaded once, to the user's cache folder.

    Raises:
        UserError: if it cannot be had, with the reason.
    """
    try:
        path = _download(pooch.utils.unique_file_name(url), url)
    except (OSError, ValueError, requests.RequestException) as error:
        raise UserError(f"{url} could not be had: {_reason(error)}") from None
    print(f"{url}: kept as {path}; delete that to have it downloaded again")
    return path


@contextmanager
def removed_if_refused(path: Path, source: str) -> Iterator[None]:
    """Remove a download that is refused within the block: the next attempt asks the source again.

    Raises:
        UserError: as it was raised within the block, with the source.
    """
    try:
        yield
    except UserError as error:
        path.unlink()
        raise UserError(f"{source} gave no good copy, which was removed: {error}") from None


def _sources(name: str, url: str) -> list[str]:
    mirror = os.environ.get("IMDB_MIRROR")
    beside = str(files.project_root() / MIRROR / name)
    return [f"{mirror.rstrip('/')}/{name}", beside, url] if mirror else [beside, url]


def _local(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError("not there")
    return path


def _download(name: str, url: str) -> Path:
    pooch.get_logger().setLevel(logging.WARNING)
    cache = pooch.create(
        path=pooch.os_cache("sentiment"),
        base_url="",
        registry={name: None},  # the content is verified when it is read, however it is packed
        urls={name: url},
        retry_if_failed=RETRIES,
    )
    downloader = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT)
    return Path(cache.fetch(name, downloader=downloader))


def _reason(error: BaseException) -> str:
    while error.__context__ and not isinstance(error, requests.HTTPError):
        error = error.__context__
    return str(error).strip() or type(error).__name__
