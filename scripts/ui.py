"""Look at the tracked runs, on http://127.0.0.1:5000: `make ui`.

Prints the address of the runs themselves, since MLflow's own pages lead to those for language
models. Options, such as --port, are those of `mlflow ui`.
"""

import argparse
import os
import sys

import mlflow

from sentiment import console, params
from sentiment.tracking import store

RUNS = "{server}/#/experiments/{experiment}/runs?workflowType=machine_learning"


def main() -> None:
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    options.add_argument("-p", "--port", default="5000")
    given, others = options.parse_known_args()
    source = params.read().fetch.source
    store.connect(source)
    uri = mlflow.get_tracking_uri()
    served = uri.startswith("http")
    server = uri.rstrip("/") if served else f"http://127.0.0.1:{given.port}"
    experiment = mlflow.get_experiment_by_name(store.experiment_name(source)).experiment_id
    print("The runs:", RUNS.format(server=server, experiment=experiment), flush=True)
    if not served:
        command = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri]
        command += ["--host", "127.0.0.1", "--port", given.port, *others]
        os.execv(command[0], command)  # noqa: S606


if __name__ == "__main__":
    console.run(main)
