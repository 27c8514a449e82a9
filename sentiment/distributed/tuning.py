"""The trials of a sweep, run by Ray Tune."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from ray import tune
from ray.tune.experiment import Trial
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch
from tqdm import tqdm

from sentiment.distributed.sweep import OBJECTIVE, Range, Search, Sweep
from sentiment.errors import UserError

FAILURES = 5  # of a trial, such as the loss of its node, before the sweep fails
MAX_EPOCHS = 10_000  # of a trial, as params.Train allows
REDUCTION = 3  # ASHA lets one trial in so many continue, at each epoch where it compares them


def run(sweep: Sweep, train: Callable, folder: Path, on_epoch: Callable, seed: int) -> pd.DataFrame:
    """Run the trials of a sweep, or those that are not complete yet, and return all their epochs.

    Args:
        sweep: What to try.
        train: Trains on some node, with a trial's values by dotted key, the `Checkpoint` to resume
            from, and a function to call with the number of each epoch, from 0, and its metrics.
        folder: Where the state is kept, for a run that resumes this one: absolute, and the same on
            all nodes.
        on_epoch: Called here with the number of a trial, its values by dotted key, and the epoch's
            number, from 1, and metrics.
        seed: Of the search.

    Returns:
        trial, the values tried, epoch, and its metrics: a row for each epoch of each trial.

    Raises:
        UserError: if a trial failed more than FAILURES times.
        KeyboardInterrupt: if the run was interrupted, once its state has been written.
    """
    trainable = tune.with_parameters(_trial, train=train, fixed=sweep.fixed, folder=folder)
    trainable = tune.with_resources(trainable, {"cpu": sweep.cpus})
    if tune.Tuner.can_restore(folder):
        tuner = tune.Tuner.restore(str(folder), trainable, resume_errored=True)
    else:
        shutil.rmtree(folder.parent, ignore_errors=True)
        tuner = tune.Tuner(
            trainable,
            param_space=_space(sweep),
            tune_config=tune.TuneConfig(
                trial_name_creator=_number,
                trial_dirname_creator=_number,
                **(_search(sweep.search, seed) if sweep.search else {}),
            ),
            run_config=tune.RunConfig(
                name=folder.name,
                storage_path=str(folder.parent),
                failure_config=tune.FailureConfig(max_failures=FAILURES),
                callbacks=[Watch(sweep, on_epoch)],
                verbose=0,
            ),
        )
    found = tuner.fit()
    if found.errors:
        raise UserError(f"{found.num_errors} trials failed; the first: {found.errors[0]}")
    # Tune returns from an interrupt as from an end; what it would run again is in its state alone.
    saved = tune.ExperimentAnalysis(str(folder)).trials
    if sum(trial.is_finished() for trial in saved) < sweep.size:
        raise KeyboardInterrupt
    histories = [_epochs(found[number]) for number in range(len(found))]
    return pd.concat(histories).sort_values(["trial", "epoch"], ignore_index=True)


def _space(sweep: Sweep) -> dict[str, object]:
    """Return the candidates of each parameter as Tune's own objects."""
    if sweep.search:
        return {key: _domain(candidates) for key, candidates in sweep.search.space.items()}
    return {key: tune.grid_search(list(values)) for key, values in sweep.grid.items()}


def _domain(candidates: Range | tuple) -> tune.search.sample.Domain:
    if not isinstance(candidates, Range):
        return tune.choice(list(candidates))
    low, high = candidates.low, candidates.high
    if isinstance(low, int) and isinstance(high, int):
        return (tune.lograndint if candidates.log else tune.randint)(low, high + 1)
    return (tune.loguniform if candidates.log else tune.uniform)(low, high)


def _search(search: Search, seed: int) -> dict[str, Any]:
    """Return Tune's options for a search, besides its space."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return {
        "metric": OBJECTIVE,
        "mode": "max",
        "num_samples": search.trials,
        "search_alg": OptunaSearch(seed=seed),
        "scheduler": ASHAScheduler(
            "epoch",
            max_t=MAX_EPOCHS,
            grace_period=search.grace,
            reduction_factor=REDUCTION,
        ),
    }


def _number(trial: Trial) -> str:
    """Return a trial's number, in the order in which Tune makes them: its name and its folder's."""
    return trial.experiment_tag.partition("_")[0]


def _trial(values: dict[str, object], train: Callable, fixed: dict, folder: Path) -> None:
    """Train from the last complete epoch: what Tune runs in a process of its own.

    Tune's own checkpoints do not survive the death of its driver: it deletes the previous one a
    moment before it records the new one.
    """
    from sentiment.rnn.checkpoint import Checkpoint

    path = folder / "checkpoints" / f"{tune.get_context().get_trial_name()}.npz"
    checkpoint = Checkpoint(path, json.dumps(values))
    reported = 0

    def report(*_) -> None:
        """Report the new epochs; after a loss also those that Tune may not know of."""
        nonlocal reported
        epochs = checkpoint.history
        for epoch in range(reported, len(epochs)):
            best = float(epochs["val_accuracy"][: epoch + 1].max())
            metrics = epochs.drop(columns="epoch").iloc[epoch].to_dict()
            tune.report({"epoch": epoch + 1, "metrics": metrics, OBJECTIVE: best})
        reported = len(epochs)

    train(fixed | values, checkpoint, report)
    report()


def _epochs(result: tune.Result) -> pd.DataFrame:
    history = pd.DataFrame(result.metrics_dataframe)
    reported = history.drop_duplicates("epoch", keep="last")  # of a lost process
    metrics = reported.filter(regex="^metrics/").rename(columns=lambda name: name[8:])
    metrics.insert(0, "epoch", reported["epoch"])
    for key, value in reversed((result.config or {}).items()):
        metrics.insert(0, key, pd.Series([value] * len(metrics), metrics.index, dtype=object))
    metrics.insert(0, "trial", int(Path(result.path).name))
    return metrics


class Watch(tune.Callback):
    """Shows how many trials are done and how good the best is, and passes on each epoch."""

    def __init__(self, sweep: Sweep, on_epoch: Callable):
        self._sweep, self._on_epoch = sweep, on_epoch

    def setup(self, *args, **info) -> None:
        """Begin the progress bar; not before, since Tune keeps a copy of this object."""
        self._bar, self._best = tqdm(total=self._sweep.size, unit=" trials"), 0.0

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict, **info
    ) -> None:
        """Pass an epoch on."""
        if result[OBJECTIVE] > self._best:
            self._best = result[OBJECTIVE]
            self._bar.set_postfix_str(f"best validation accuracy {self._best:.4f}")
        values, number = self._sweep.fixed | trial.config, int(_number(trial))
        self._on_epoch(number, values, {"epoch": result["epoch"]} | result["metrics"])

    def on_step_end(self, iteration: int, trials: list[Trial], **info) -> None:
        """Show how many trials are done."""
        if done := sum(trial.is_finished() for trial in trials) - self._bar.n:
            self._bar.update(done)

    def on_experiment_end(self, trials: list[Trial], **info) -> None:
        """End the progress bar."""
        self._bar.close()
