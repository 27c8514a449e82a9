"""Look at the tracked runs, on http://127.0.0.1:5000: `make ui`."""

import os

import mlflow

from sentiment import console, params, store


def main() -> None:
    store.connect(params.read().fetch.source)
    uri = mlflow.get_tracking_uri()
    if uri.startswith("http"):
        print(f"The runs are served at {uri}")
        return
    command = ["mlflow", "ui", "--host", "127.0.0.1", "--backend-store-uri", uri]
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    console.run(main)
