"""Models in MLflow's registry: they take raw text, and the best of them is the champion."""

from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema

from sentiment import lineage
from sentiment.errors import UserError

CHAMPION = "champion"
MODEL, MD5 = "model", "md5"  # tags of a version; those that follow only a champion has
ROWS, ACCURACY = "validation.rows", "validation.accuracy"

SERVED_WITH = ("icu4py", "keras", "mlflow", "numba", "numpy", "pandas", "pyarrow", "pydantic",
               "requests", "ruamel.yaml", "scikit-learn", "scipy", "skops",
               "tensorflow")  # fmt: skip
TEXT_TO_LABEL = ModelSignature(
    inputs=Schema([ColSpec("string", "text")]),
    outputs=Schema([ColSpec("string", "label"), ColSpec("double", "probability")]),
)
EXAMPLE = pd.DataFrame({"text": ["I wanted my money back.", "A film to see twice."]})


def log_model(name: str, path: Path | str, encoder: Path | str) -> None:
    """Log a model that takes raw text to the active run, and register it as a new version.

    Its code is this package, as source: nothing is pickled.

    Args:
        name: The model's name among those of the run.
        path: The saved model, `.keras` or `.skops`.
        encoder: The encoder's file.
    """
    package, client, run = (
        Path(__file__).parents[1],
        mlflow.MlflowClient(),
        mlflow.active_run().info,
    )
    model = mlflow.pyfunc.log_model(
        name=name,
        python_model=str(package / "tracking/serving.py"),
        artifacts={"model": str(path), "encoder": str(encoder)},
        code_paths=[str(package)],
        signature=TEXT_TO_LABEL,
        input_example=EXAMPLE,
        pip_requirements=[f"{package}=={version(package)}" for package in SERVED_WITH],
    )
    registry = client.get_experiment(run.experiment_id).name
    with suppress(MlflowException):  # there is one already
        client.create_registered_model(registry)
    client.create_model_version(
        registry,
        model.model_uri,
        run_id=run.run_id,
        tags={MODEL: name, MD5: lineage.md5(path)},
        model_id=model.model_id,
    )


def promote(registry: str, name: str, path: Path | str, accuracy: float, rows: str) -> str:
    """Make a registered model the champion, unless the present one is at least as good.

    Args:
        registry: The name under which models are registered.
        name: The model's name.
        path: The saved model, by whose content the registered version is found.
        accuracy: Its accuracy on the validation rows.
        rows: What tells those rows from others: accuracies on others cannot be compared.

    Returns:
        What was done, as a sentence.

    Raises:
        UserError: if the model is not registered, or if it may not replace the champion.
    """
    client = mlflow.MlflowClient()
    version = _registered(registry, lineage.md5(path))
    if version is None:
        raise UserError(f"the {name} model is not registered: run `make track`, then try again")
    ours = f"{name} (version {version.version}), {accuracy:.4f} on the validation rows"
    champion = _champion(registry)
    if champion and champion.tags.get(MD5) == version.tags[MD5]:
        return f"{ours}, is the champion already"
    if champion:
        theirs = f"{champion.tags.get(MODEL)} (version {champion.version})"
        if champion.tags.get(ROWS) != rows:
            raise UserError(
                f"{theirs} is the champion by other validation rows, and cannot be compared with "
                f"{ours}. Remove its alias in `make ui` to start anew."
            )
        theirs += f", {float(champion.tags[ACCURACY]):.4f}"
        if accuracy <= float(champion.tags[ACCURACY]):
            raise UserError(f"the champion stays {theirs}: {ours}, is no better")
    client.set_model_version_tag(registry, version.version, ACCURACY, repr(accuracy))
    client.set_model_version_tag(registry, version.version, ROWS, rows)
    client.set_registered_model_alias(registry, CHAMPION, version.version)
    return f"{ours}, is the champion now" + (f" in place of {theirs}" if champion else "")


def _registered(registry: str, md5: str) -> ModelVersion | None:
    """Return the latest version that holds a model, by the MD5 of its file."""
    found = mlflow.search_model_versions(
        filter_string=f"name = '{registry}' and tags.{MD5} = '{md5}'",
        order_by=["version_number DESC"],
        max_results=1,
    )
    return found[0] if found else None


def _champion(registry: str) -> ModelVersion | None:
    client = mlflow.MlflowClient()
    version = client.get_registered_model(registry).aliases.get(CHAMPION)
    return client.get_model_version(registry, version) if version else None
