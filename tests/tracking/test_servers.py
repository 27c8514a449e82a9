"""Servers as people run them: whatever MLflow can reach, the project can."""

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from sentiment.errors import UserError
from sentiment.tracking import store

EXPERIMENT = {"experiment_id": "1", "name": "sentiment-sample", "lifecycle_stage": "active"}
NO_RETRIES = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
Answer = tuple[int, str]


def answer(path: str, headers: dict[str, str]) -> Answer:
    """Answer as an MLflow server with our experiment does."""
    return 200, json.dumps({"experiment": EXPERIMENT} if "get-by-name" in path else {})


@contextmanager
def server(
    answer: Callable[[str, dict[str, str]], Answer] = answer, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """Run a server in a thread; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = answer(self.path, dict(self.headers))
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", body)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_) -> None:
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_) -> None:  # a client that refuses our certificate
            pass

    listening = Server(("127.0.0.1", 0), Handler)
    if tls:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True).start()
    yield f"{'https' if tls else 'http'}://127.0.0.1:{listening.server_port}"
    listening.shutdown()
    listening.server_close()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    """A certificate that no authority signed, for 127.0.0.1, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + built.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch) -> Callable:
    """Connects to a server, with environment variables."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)

    def connect(address: str, **variables: str) -> None:
        with monkeypatch.context() as patch:
            for name, value in (NO_RETRIES | {"MLFLOW_TRACKING_URI": address} | variables).items():
                patch.setenv(name, value)
            store.connect("sample")

    return connect


def tls_of(certificate: Path, asks_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    if asks_client:
        context.load_verify_locations(certificate)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def test_a_private_certificate(environment, certificate):
    with server(tls=tls_of(certificate)) as address:
        environment(address, MLFLOW_TRACKING_SERVER_CERT_PATH=str(certificate))
        environment(address, MLFLOW_TRACKING_INSECURE_TLS="true")
        environment(address, REQUESTS_CA_BUNDLE=str(certificate))
        with pytest.raises(UserError, match=r"(?s)self-signed.*MLFLOW_TRACKING_SERVER_CERT_PATH"):
            environment(address)


def test_a_client_certificate(environment, certificate):
    trusted = {"MLFLOW_TRACKING_SERVER_CERT_PATH": str(certificate)}
    with server(tls=tls_of(certificate, asks_client=True)) as address:
        environment(address, MLFLOW_TRACKING_CLIENT_CERT_PATH=str(certificate), **trusted)
        with pytest.raises(UserError, match="cannot be used"):
            environment(address, **trusted)


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"MLFLOW_TRACKING_TOKEN": "abc"}, "Bearer abc"),
        (
            {"MLFLOW_TRACKING_USERNAME": "me", "MLFLOW_TRACKING_PASSWORD": "secret"},
            "Basic bWU6c2VjcmV0",
        ),
    ],
)
def test_a_user_or_token(environment, variables, expected):
    def guarded(path: str, headers: dict[str, str]) -> Answer:
        if headers.get("Authorization") == expected:
            return answer(path, headers)
        return 401, "You are not authenticated."

    with server(guarded) as address:
        environment(address, **variables)
        with pytest.raises(UserError, match=r"error code 401.*not authenticated"):
            environment(address)


def test_a_server_behind_a_proxy(environment):
    asked = []

    def proxy(path: str, headers: dict[str, str]) -> Answer:
        asked.append(path)
        return answer(path, headers)

    with server(proxy) as address:
        environment("http://mlflow.invalid", HTTP_PROXY=address, NO_PROXY="")
    assert asked
    assert all(path.startswith("http://mlflow.invalid/api/") for path in asked)


def test_a_server_that_has_moved(environment):
    with server() as address, server(lambda path, _: (308, address + path)) as former:
        environment(former)


def without_logged_models(path: str, headers: dict[str, str]) -> Answer:
    if "logged-models" in path:
        return 404, "<!doctype html><title>404 Not Found</title>"
    return answer(path, headers)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (without_logged_models, "the server has no logged models: it needs MLflow 3"),
        (lambda *_: (200, "<html>A hotel's page</html>"), "not in a valid JSON format"),
        (lambda *_: (403, '{"error_code": "PERMISSION_DENIED", "message": "No."}'), "No"),
        (lambda *_: (404, "Not Found"), "error code 404"),
        (lambda *_: (500, "Internal error"), "too many 500 error responses"),
        (lambda path, _: (302, "http://127.0.0.1:9" + path), "Connection refused"),
    ],
)
def test_another_answer_is_an_error_before_any_work(environment, answer, reason):
    with server(answer) as address, pytest.raises(UserError, match=reason):
        environment(address)


def test_a_server_that_lets_us_only_read_is_an_error_before_any_work(environment):
    def reader(path: str, headers: dict[str, str]) -> Answer:
        if "set-experiment-tag" in path:
            return 403, '{"error_code": "PERMISSION_DENIED", "message": "Permission denied"}'
        return answer(path, headers)

    with server(reader) as address, pytest.raises(UserError, match="Permission denied"):
        environment(address)


def test_a_registry_of_its_own_is_asked_too(environment):
    with server() as address, pytest.raises(UserError, match="Connection refused"):
        environment(address, MLFLOW_REGISTRY_URI="http://127.0.0.1:9")
