"""Look at the tracked runs, on http://127.0.0.1:5000: `make ui`.

Prints the address of the runs themselves, since MLflow's own pages lead to those for language
models. Options, such as --port, are those of `mlflow ui`.
"""

import argparse
import os
import socket
import sys
from urllib.parse import urlsplit

import mlflow

from sentiment import console, params
from sentiment.errors import UserError
from sentiment.tracking import store

HOST = "127.0.0.1"


def main() -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("-p", "--port", default="5000")
    options.add_argument("-h", "--host", default=HOST)
    given, others = options.parse_known_args()
    source = params.read().fetch.source
    store.connect(source)
    uri = mlflow.get_tracking_uri()
    served = uri.startswith("http")
    if not served:
        check_port(given.host, given.port)
    server = uri if served else f"http://{given.host}:{given.port}"
    experiment = mlflow.set_experiment(store.experiment_name(source)).experiment_id
    print("The runs:", runs_page(server, experiment), flush=True)
    if not served:
        command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
        command += ["--host", given.host, "--port", given.port, *others]
        os.execv(command[0], command)  # noqa: S606


def runs_page(server: str, experiment: str) -> str:
    """Return the address of an experiment's runs, without the password in the server's.

    Example:
        >>> runs_page("https://me:secret@host/mlflow/", "1")
        'https://host/mlflow/#/experiments/1/runs?workflowType=machine_learning'
    """
    address = urlsplit(server)
    public = address._replace(netloc=address.netloc.rpartition("@")[2]).geturl()
    return f"{public.rstrip('/')}/#/experiments/{experiment}/runs?workflowType=machine_learning"


def check_port(host: str, port: str) -> None:
    """Raise a UserError unless a server can be started at a port."""
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise UserError(f"{port!r} is no port: take a number from 1 to 65535, as in PORT=5001")
    try:
        with socket.create_server((host, int(port))):
            pass
    except OSError as error:
        raise UserError(
            f"port {port} of {host} cannot be used: {error.strerror}. Take another: "
            "make ui PORT=5001"
        ) from None


if __name__ == "__main__":
    console.run(main)
