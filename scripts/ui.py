"""Look at the tracked runs, on http://127.0.0.1:5000: `make ui`.

Options, such as --port, are those of `mlflow ui`.
"""

import os
import sys

import mlflow

from sentiment import console, params, store


def main() -> None:
    store.connect(params.read().fetch.source)
    uri = mlflow.get_tracking_uri()
    if uri.startswith("http"):
        print(f"The runs are served at {uri}")
        return
    command = [sys.executable, "-m", "mlflow", "ui", "--host", "127.0.0.1"]
    command += ["--backend-store-uri", uri, *sys.argv[1:]]
    os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    console.run(main)
