"""Models in MLflow's registry: they take raw text, and the best of them is the champion."""

import json
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import pandas as pd
from mlflow.entities import LoggedModelOutput, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.utils import requirements_utils
from mlflow.utils.mlflow_tags import MLFLOW_MODEL_VERSIONS

from sentiment import lineage
from sentiment.errors import UserError
from sentiment.models import MODELS

CHAMPION = "champion"
MODEL, MD5 = "model", "md5"  # tags of a version: the model's key, and the hash of its file
REVIEWS, ACCURACY = "validation.reviews", "validation.accuracy"  # and of one that was a champion
DESCRIPTION = (
    "Takes reviews, a column `text`; returns `label` (positive or negative) and `probability` (of "
    "positive). The version with the alias `champion` is the best on the validation reviews."
)

SERVED_WITH = ("h5py", "icu4py", "keras", "mlflow", "numba", "numpy", "pandas", "pyarrow",
               "pydantic", "requests", "ruamel.yaml", "scikit-learn", "scipy", "skops",
               "tensorflow", "tqdm")  # fmt: skip
TEXT_TO_LABEL = ModelSignature(
    inputs=Schema([ColSpec("string", "text")]),
    outputs=Schema([ColSpec("string", "label"), ColSpec("double", "probability")]),
)
EXAMPLE = pd.DataFrame({"text": ["I wanted my money back.", "A film to see twice."]})


def prepare() -> None:
    """Have MLflow list the installed packages, which takes a second before it logs a model."""
    requirements_utils.warn_dependency_requirement_mismatches(["mlflow"])


def log_model(name: str, path: Path | str, encoder: Path | str) -> None:
    """Log a model that takes raw text to the active run, and register it as a new version.

    Its code is this package, as source: nothing is pickled.

    Args:
        name: The model's key.
        path: The saved model, `.keras` or `.skops`.
        encoder: The encoder's file.
    """
    package = Path(__file__).parents[1]
    client, run = mlflow.MlflowClient(), mlflow.active_run().info
    md5 = lineage.md5(path)
    # In steps: `pyfunc.log_model` would load the model once more to try it, which takes seconds.
    model = mlflow.initialize_logged_model(name, source_run_id=run.run_id, tags={MD5: md5})
    with TemporaryDirectory() as folder:
        mlflow.pyfunc.save_model(
            f"{folder}/model",
            mlflow_model=Model(run_id=run.run_id, model_id=model.model_id),
            python_model=str(package / "tracking/serving.py"),
            artifacts={"model": str(path), "encoder": str(encoder)},
            code_paths=[str(package)],
            signature=TEXT_TO_LABEL,
            input_example=EXAMPLE,
            pip_requirements=[f"{package}=={version(package)}" for package in SERVED_WITH],
        )
        client.log_model_artifacts(model.model_id, f"{folder}/model")
    model = mlflow.finalize_logged_model(model.model_id, "READY")
    client.log_outputs(run.run_id, models=[LoggedModelOutput(model.model_id, step=0)])
    mlflow.set_tag(f"{MD5}.{name}", md5)  # by which the run of a file is found
    registry = client.get_experiment(run.experiment_id).name
    with suppress(MlflowException):  # there is one already
        client.create_registered_model(registry, description=DESCRIPTION)
    created = client.create_model_version(
        registry,
        model.model_uri,
        run_id=run.run_id,
        tags={MODEL: name, MD5: md5},
        model_id=model.model_id,
        description=MODELS[name].title,
    )
    entry = {"name": registry, "version": created.version}
    client.set_logged_model_tags(model.model_id, {MLFLOW_MODEL_VERSIONS: json.dumps([entry])})


def is_registered(run: Run, name: str) -> bool:
    """Return whether a model of a run is registered: the run may have been interrupted."""
    filter_string = f"run_id = '{run.info.run_id}' and tags.{MODEL} = '{name}'"
    return bool(mlflow.search_model_versions(filter_string=filter_string, max_results=1))


def promote(registry: str, name: str, path: Path | str, accuracy: float, reviews: str) -> str:
    """Make a registered model the champion, unless the present one is at least as good.

    Args:
        registry: The name under which models are registered.
        name: The model's key.
        path: The saved model, by whose content the registered version is found.
        accuracy: Its accuracy on the validation reviews.
        reviews: The fingerprint of the validation reviews: accuracies on others cannot be compared.

    Returns:
        What was done, as a sentence.

    Raises:
        UserError: if the model is not registered, or if it may not replace the champion.
    """
    client = mlflow.MlflowClient()
    version = _find_version(registry, name, lineage.md5(path))
    if version is None:
        raise UserError(
            f"{registry} has no version of {name} as it is in {path}. If its version was removed, "
            "delete its run in `make ui` too: the next `make promote` logs both again"
        )
    ours = f"{name} (version {version.version}), {accuracy:.4f} on the validation reviews"
    champion = _champion(registry)
    if champion and champion.version == version.version:
        return f"{ours}, is the champion already"
    if champion:
        theirs = f"{champion.tags.get(MODEL)} (version {champion.version})"
        if champion.tags.get(REVIEWS) != reviews:
            raise UserError(
                f"the champion {theirs} was chosen on other validation reviews, and cannot be "
                f"compared with {ours}. To choose anew, remove its alias in `make ui`"
            )
        theirs += f", {float(champion.tags[ACCURACY]):.4f}"
        if accuracy <= float(champion.tags[ACCURACY]):
            raise UserError(f"the champion stays {theirs}: {ours}, is no better")
    client.set_model_version_tag(registry, version.version, ACCURACY, repr(accuracy))
    client.set_model_version_tag(registry, version.version, REVIEWS, reviews)
    client.set_registered_model_alias(registry, CHAMPION, version.version)
    return f"{ours}, is the champion now" + (f" in place of {theirs}" if champion else "")


def _find_version(registry: str, name: str, md5: str) -> ModelVersion | None:
    """Return the latest version of a model, by the MD5 of its file."""
    found = mlflow.search_model_versions(
        filter_string=f"name = '{registry}' and tags.{MODEL} = '{name}' and tags.{MD5} = '{md5}'",
        order_by=["version_number DESC"],
        max_results=1,
    )
    return found[0] if found else None


def _champion(registry: str) -> ModelVersion | None:
    client = mlflow.MlflowClient()
    version = client.get_registered_model(registry).aliases.get(CHAMPION)
    return client.get_model_version(registry, version) if version else None
