import logging
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sentiment.data import download
from sentiment.errors import UserError

NAME = "reviews.tar.gz"
CONTENT = bytes(range(256)) * 400


class Server(ThreadingHTTPServer):
    """Answers each request as `answer` does, on loopback; counts them."""

    daemon_threads = True

    def __init__(self):
        self.requests, self.answer = 0, good
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{NAME}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests += 1
        self.server.answer(self)

    def log_message(self, *arguments):
        pass

    def send(self, content: bytes, status: int = 200, length: int | None = None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)


def good(request: Handler) -> None:
    request.send(CONTENT)


def cut(request: Handler) -> None:
    request.send(CONTENT[:1000], length=len(CONTENT))


def slow(request: Handler) -> None:
    request.send(CONTENT[:1000], length=len(CONTENT))
    request.wfile.flush()
    request.server.closing.wait(2.5)


def missing(request: Handler) -> None:
    request.send(b"no such file", status=404)


def page(request: Handler) -> None:
    request.send(b"<!DOCTYPE html><title>Sign in to the network</title>")


def failing_once(request: Handler) -> None:
    (cut if request.server.requests == 1 else good)(request)


def verified(path) -> bytes:
    """Read a file as the pipeline does: by its content."""
    content = path.read_bytes()
    if content != CONTENT:
        raise UserError(f"{path} is no archive")
    return content


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A machine of its own: an empty cache, no mirror, no proxy, no waiting between attempts."""
    monkeypatch.setattr(download.pooch, "os_cache", lambda project: tmp_path / "cache" / project)
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    monkeypatch.setattr(download, "TIMEOUT", 5)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project" / "root"))
    monkeypatch.delenv("IMDB_MIRROR", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache" / "sentiment"


def files_in(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_download_shows_progress_and_is_kept(server, cache, capfd):
    assert download.obtain(NAME, server.url, verified) == CONTENT
    out, err = capfd.readouterr()
    assert out == f"{NAME}: from {server.url}\n"
    assert "100%" in err
    assert not download.pooch.get_logger().isEnabledFor(logging.INFO)  # nothing beside the bar
    assert files_in(cache) == [NAME]


def test_a_second_clone_downloads_nothing(server, capfd):
    download.obtain(NAME, server.url, verified)
    capfd.readouterr()
    assert download.obtain(NAME, server.url, verified) == CONTENT
    assert server.requests == 1
    assert capfd.readouterr().err == ""


def test_an_address_is_downloaded_once_under_a_name_of_its_own(server, cache, capsys):
    path = download.download(server.url)
    assert path.read_bytes() == CONTENT
    assert path.parent == cache
    assert path.name.endswith(NAME)
    assert download.download(server.url) == path
    assert server.requests == 1
    assert f"{server.url}: kept as {path}; delete that" in capsys.readouterr().out
    assert download.download(f"{server.url}?of=another") != path


def test_an_address_that_gives_nothing_is_told(server, cache):
    server.answer = missing
    with pytest.raises(UserError, match=r"could not be had: 404 Client Error"):
        download.download(server.url)
    assert files_in(cache) == []


def test_what_is_refused_is_asked_for_again(server, cache):
    server.answer = page
    path = download.download(server.url)
    with (
        pytest.raises(UserError, match=rf"{server.url} gave no good copy, .* is no archive"),
        download.removed_if_refused(path, server.url),
    ):
        verified(path)
    assert files_in(cache) == []
    server.answer = good
    path = download.download(server.url)
    with download.removed_if_refused(path, server.url):
        assert verified(path) == CONTENT
    assert files_in(cache) == [path.name]


def test_a_server_that_fails_once_is_asked_again(server):
    server.answer = failing_once
    assert download.obtain(NAME, server.url, verified) == CONTENT
    assert server.requests == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [(cut, "IncompleteRead(1000 bytes read"), (slow, "timed out"), (missing, "404 Client Error")],
)
def test_what_cannot_be_downloaded_is_told_and_leaves_nothing(
    server, cache, monkeypatch, answer, why
):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    server.answer = answer
    with pytest.raises(UserError) as failed:
        download.obtain(NAME, server.url, verified)
    assert f"  {server.url}: {why}" in str(failed.value)
    assert server.requests == 1 + download.RETRIES
    assert files_in(cache) == []


def test_another_file_in_its_place_is_refused_and_not_kept(server, cache):
    server.answer = page
    with pytest.raises(UserError, match="is no archive") as refused:
        download.obtain(NAME, server.url, verified)
    assert server.url in str(refused.value)
    assert files_in(cache) == []
    server.answer = good
    assert download.obtain(NAME, server.url, verified) == CONTENT


def test_a_mirror_directory_goes_first(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("IMDB_MIRROR", str(tmp_path))
    (tmp_path / NAME).write_bytes(CONTENT)
    assert download.obtain(NAME, server.url, verified) == CONTENT
    assert server.requests == 0
    assert capsys.readouterr().out == f"{NAME}: from {tmp_path / NAME}\n"


def test_a_mirrors_address_goes_first(server, tmp_path, monkeypatch):
    monkeypatch.setenv("IMDB_MIRROR", server.url.removesuffix(NAME))
    beside(tmp_path).write_bytes(b"not asked")
    assert download.obtain(NAME, "http://127.0.0.1:1/unused", verified) == CONTENT
    assert server.requests == 1


def beside(tmp_path):
    """The path of the file in the mirror directory beside the checkout."""
    path = tmp_path / "project" / "shared" / "imdb" / NAME
    path.parent.mkdir(parents=True)
    (tmp_path / "project" / "root").mkdir()
    return path


def test_the_directory_beside_the_checkout_goes_before_the_official_address(server, tmp_path):
    beside(tmp_path).write_bytes(CONTENT)
    assert download.obtain(NAME, server.url, verified) == CONTENT
    assert server.requests == 0


@pytest.mark.parametrize("mirror", ["/nowhere", "http://127.0.0.1:1/", "ftp://127.0.0.1/imdb"])
def test_a_mirror_that_has_it_not_is_passed_over(server, monkeypatch, mirror):
    monkeypatch.setenv("IMDB_MIRROR", mirror)
    assert download.obtain(NAME, server.url, verified) == CONTENT


def test_a_bad_copy_in_a_mirror_directory_is_refused_and_left_alone(server, tmp_path, monkeypatch):
    monkeypatch.setenv("IMDB_MIRROR", str(tmp_path))
    (tmp_path / NAME).write_bytes(b"damaged")
    with pytest.raises(UserError, match="is no archive"):
        download.obtain(NAME, server.url, verified)
    assert (tmp_path / NAME).read_bytes() == b"damaged"
    assert server.requests == 0


def test_without_any_source_each_is_told_with_its_reason_and_what_to_do(server, monkeypatch):
    monkeypatch.setenv("IMDB_MIRROR", "http://127.0.0.1:1")
    server.answer = missing
    with pytest.raises(UserError) as failed:
        download.obtain(NAME, server.url, verified)
    first, mirror, directory, official, advice = str(failed.value).splitlines()
    assert first == f"{NAME} could not be had from any source:"
    assert mirror == f"  http://127.0.0.1:1/{NAME}: [Errno 111] Connection refused"
    assert directory.endswith(f"shared/imdb/{NAME}: not there")
    assert official.startswith(f"  {server.url}: 404")
    assert "IMDB_MIRROR" in advice
    assert "make demo" in advice


def test_a_cache_that_cannot_be_written_is_told(server, cache):
    cache.parent.write_text("a file where the folder should be")
    with pytest.raises(UserError, match=f"{server.url}: .*cache"):
        download.obtain(NAME, server.url, verified)
