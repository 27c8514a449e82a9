"""Results in MLflow: one run for each model, found by content, and one for their comparison."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import mlflow
import pandas as pd
import requests
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Run
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from sentiment import files, lineage
from sentiment.console import UserError

INPUTS = "digest.inputs"  # of the parameters and files that a result is made from
OUTPUTS = "digest.outputs"  # of the files that are the result: a run that has it is complete
MD5, ROWS, ACCURACY = "md5", "validation.rows", "validation.accuracy"  # tags of model versions
CHAMPION = "champion"
SERVED_WITH = ("keras", "mlflow", "numba", "numpy", "pandas", "pyarrow", "pydantic", "requests",
               "ruamel.yaml", "scikit-learn", "scipy", "skops", "tensorflow")  # fmt: skip
UNREACHABLE = (MlflowException, requests.RequestException)


def connect(source: str) -> None:
    """Point MLflow at MLFLOW_TRACKING_URI, or at mlflow.db in the project's root.

    Args:
        source: Where the reviews are from; each source has an experiment of its own.

    Raises:
        UserError: if the store cannot be used.
    """
    experiment = experiment_name(source)
    root = files.project_root().resolve()
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    # Writers to one file wait for one another: two experiments may run at once.
    mlflow.set_tracking_uri(uri or f"sqlite:///{root}/mlflow.db?timeout=60")
    try:
        if uri is None and mlflow.get_experiment_by_name(experiment) is None:
            mlflow.create_experiment(experiment, (root / "mlartifacts").as_uri())
        mlflow.set_experiment(experiment)
    except UNREACHABLE as error:
        raise UserError(
            f"the MLflow store {mlflow.get_tracking_uri()} cannot be used "
            f"({str(error).splitlines()[0][:200]}). Start its server, or unset "
            "MLFLOW_TRACKING_URI to use mlflow.db in the project's root."
        ) from None


def experiment_name(source: str) -> str:
    """Return the name of the experiment, and of the registered model, of a source of reviews."""
    return "sentiment" if source == "imdb" else f"sentiment-{source}"


@contextmanager
def tolerated() -> Iterator[None]:
    """Let work go on when the store is lost in the middle: `make track` makes up for it."""
    try:
        yield
    except UNREACHABLE as error:
        print(
            f"tracking: the MLflow store was lost ({str(error).splitlines()[0][:200]}). "
            "The results are safe in data/; run `make track` when it is back.",
            file=sys.stderr,
        )


class Live:
    """Logs a stage's metrics as it works, until the store is lost or unless it has them already."""

    def __init__(self, kind: str, stage: str):
        made = lineage.of_stage(stage)
        run = _find(kind, INPUTS, made.inputs) or _create(kind, made)
        self._run_id = None if OUTPUTS in run.data.tags else run.info.run_id

    def __call__(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log metrics of an epoch, counted from 0 as Keras does, as those of step epoch + 1."""
        if self._run_id is None:
            return
        run_id, self._run_id = self._run_id, None
        with tolerated():
            mlflow.log_metrics(metrics, step=epoch + 1, run_id=run_id)
            self._run_id = run_id


@contextmanager
def result(kind: str, stage: str) -> Iterator[Run | None]:
    """Open the run of a stage's present result, to be logged to; None: the store has it already.

    A run is found by the contents of the files that it is about. Where there is none, one that
    the same stage began on the same inputs is taken up, or a new one is made.

    Args:
        kind: baseline, recurrent or comparison: what the run's name says.
        stage: The stage's name in dvc.yaml.
    """
    made = lineage.of_stage(stage)
    if found := _find(kind, OUTPUTS, made.outputs):
        print(f"tracking: the store has the {kind} as run {found.info.run_id}")
        yield None
        return
    begun = _find(kind, INPUTS, made.inputs)
    run = begun if begun and OUTPUTS not in begun.data.tags else _create(kind, made)
    with mlflow.start_run(run.info.run_id, log_system_metrics=False):
        yield run
        outs = {f"out {path}": md5 for path, md5 in made.outs.items()}
        mlflow.set_tags(outs | {OUTPUTS: made.outputs})
    print(f"tracking: logged the {kind} as run {run.info.run_id}")


def _find(kind: str, tag: str, digest: str) -> Run | None:
    runs = mlflow.search_runs(
        filter_string=f"tags.result = '{kind}' and tags.`{tag}` = '{digest}'",
        order_by=["attributes.start_time ASC"],
        max_results=1,
        output_format="list",
    )
    return runs[0] if runs else None


def _create(kind: str, made: lineage.Lineage) -> Run:
    state = lineage.of_repository()
    name = " ".join(filter(None, (state.get("dvc.experiment"), kind)))
    deps = {f"dep {path}": md5 for path, md5 in made.deps.items()}
    with mlflow.start_run(run_name=name, log_system_metrics=False) as run:
        mlflow.set_tags({"result": kind, INPUTS: made.inputs} | deps | state)
        mlflow.log_params(made.params)
    return run


def adopt(child: str, stage: str, scores: dict[str, dict]) -> None:
    """Put a model's run below the present comparison, with its scores.

    A model that belongs to an earlier comparison already appears below this one as a copy, so
    that each comparison stands in the UI with all that it compared.

    Args:
        child: baseline or recurrent.
        stage: The stage that made the model.
        scores: What the comparison measured of it, nested by model and split.
    """
    parent = _find("comparison", OUTPUTS, lineage.of_stage("evaluate").outputs)
    model = _find(child, OUTPUTS, lineage.of_stage(stage).outputs)
    if not (parent and model):
        return
    owner = model.data.tags.get(MLFLOW_PARENT_RUN_ID, parent.info.run_id)
    if owner != parent.info.run_id:
        model = _child_of(parent, child) or _copy(model, parent)
    mlflow.MlflowClient().set_tag(model.info.run_id, MLFLOW_PARENT_RUN_ID, parent.info.run_id)
    log_scores(scores, model.info.run_id)


def _child_of(parent: Run, kind: str) -> Run | None:
    runs = mlflow.search_runs(
        filter_string=f"tags.result = '{kind}' "
        f"and tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'",
        output_format="list",
    )
    return runs[0] if runs else None


def _copy(run: Run, parent: Run) -> Run:
    tags = {k: v for k, v in run.data.tags.items() if not k.startswith(("mlflow.", "digest."))}
    tags |= {"copy of": run.info.run_id, MLFLOW_PARENT_RUN_ID: parent.info.run_id}
    with mlflow.start_run(run_name=run.info.run_name, tags=tags, log_system_metrics=False) as copy:
        mlflow.log_params(run.data.params)
        mlflow.log_metrics(run.data.metrics)
    return copy


def log_history(run: Run, history: pd.DataFrame) -> None:
    """Log each epoch's metrics to a run, except those that it has already.

    Args:
        run: As `result` yields it.
        history: epoch, from 1, and a column for each metric.
    """
    client = mlflow.MlflowClient()
    for metric in history.columns.drop("epoch"):
        logged = {entry.step for entry in client.get_metric_history(run.info.run_id, metric)}
        for epoch, value in zip(history.epoch, history[metric], strict=True):
            if epoch not in logged:
                client.log_metric(run.info.run_id, metric, value, step=epoch)


def log_scores(scores: dict[str, dict], run_id: str | None = None) -> None:
    """Log the numbers of nested scores, under dotted names, to a run or to the active one."""
    flat = pd.json_normalize(scores).iloc[0]
    numbers = {name: value for name, value in flat.items() if not isinstance(value, str)}
    mlflow.log_metrics(numbers, run_id=run_id)


def log_figures(kind: str, stage: str, paths: list[str]) -> None:
    """Log figures to the run of a stage's present result, if the store has it."""
    run = _find(kind, OUTPUTS, lineage.of_stage(stage).outputs)
    for path in paths if run else []:
        mlflow.log_artifact(path, "figures", run_id=run.info.run_id)


def log_reviews(path: Path | str) -> None:
    """Name the reviews as the active run's data set; their digest is that of the whole file."""
    source = CodeDatasetSource({"mlflow.source.name": "stages/fetch.py"})
    reviews = MetaDataset(source, name="reviews", digest=lineage.md5(path))
    mlflow.log_input(reviews, context="training")


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
    package = Path(__file__).parent
    client = mlflow.MlflowClient()
    registry = client.get_experiment(mlflow.active_run().info.experiment_id).name
    model = mlflow.pyfunc.log_model(
        name=name,
        python_model=str(package / "serving.py"),
        artifacts={"model": str(path), "encoder": str(encoder)},
        code_paths=[str(package)],
        signature=TEXT_TO_LABEL,
        input_example=EXAMPLE,
        pip_requirements=[f"{package}=={version(package)}" for package in SERVED_WITH],
        registered_model_name=registry,
    )
    tags = {"model": name, MD5: lineage.md5(path)}
    for tag, value in tags.items():
        client.set_model_version_tag(registry, model.registered_model_version, tag, value)


def promote(name: str, path: Path | str, accuracy: float, rows: str, source: str) -> str:
    """Make a registered model the champion, unless the present one is at least as good.

    Args:
        name: The model's name.
        path: The saved model, by whose content the registered version is found.
        accuracy: Its accuracy on the validation rows.
        rows: The digest of those rows: accuracies on others cannot be compared.
        source: Where the reviews are from, as for `connect`.

    Returns:
        What was done, as a sentence.

    Raises:
        UserError: if the model is not registered, or if it may not replace the champion.
    """
    client, registry = mlflow.MlflowClient(), experiment_name(source)
    versions = client.search_model_versions(f"name = '{registry}'")
    registered = [v for v in versions if v.tags.get(MD5) == lineage.md5(path)]
    if not registered:
        raise UserError(f"the {name} model is not registered: run `make track`, then try again")
    version = registered[0].version
    aliases = client.get_registered_model(registry).aliases
    champion = next((v for v in versions if v.version == aliases.get(CHAMPION)), None)
    ours = f"{name} (version {version}), {accuracy:.4f} on the validation rows"
    if champion and champion.tags[MD5] == lineage.md5(path):
        return f"{ours}, is the champion already"
    if champion:
        theirs = f"{champion.tags['model']} (version {champion.version})"
        if champion.tags[ROWS] != rows:
            raise UserError(
                f"{theirs} is the champion by other validation rows, and cannot be compared with "
                f"{ours}. Remove its alias in `make ui` to start anew."
            )
        theirs += f", {champion.tags[ACCURACY]}"
        if accuracy <= float(champion.tags[ACCURACY]):
            raise UserError(f"the champion stays {theirs}: {ours}, is no better")
    client.set_model_version_tag(registry, version, ACCURACY, repr(accuracy))
    client.set_model_version_tag(registry, version, ROWS, rows)
    client.set_registered_model_alias(registry, CHAMPION, version)
    return f"{ours}, is the champion now" + (f" in place of {theirs}" if champion else "")
