"""Try parameters of training, as a file in sweeps/ says: `make sweep NAME=learning`.

Trials run on this machine, or on the Ray cluster that RAY_ADDRESS names. A sweep that was
interrupted continues, and one that is complete is shown again.
"""

import os
import shlex
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import plotnine as p9
from ruamel.yaml import YAML

from sentiment import console, files, lineage, params, paths
from sentiment.distributed import cluster, sweep
from sentiment.report import figures
from sentiment.tracking import store
from sentiment.tracking.sweeps import SweepLogger

if TYPE_CHECKING:
    from sentiment.rnn.checkpoint import Checkpoint


def main() -> None:
    name = sys.argv[1] if len(sys.argv) == 2 else ""
    settings = params.read()
    asked = sweep.read(name, settings)
    for needed in ("pad", "baseline"):
        lineage.of_stage(needed).require_outputs()
    store.connect(settings.fetch.source)
    stage = lineage.of_stage("train")
    made = lineage.Lineage(stage.params | asked.model_dump(mode="json"), stage.deps, {})
    run = SweepLogger(name, made)
    folder = Path(paths.SWEEPS, name)
    with cluster.start_ray(asked.cpus):
        from sentiment.distributed import tuning

        train = partial(train_on_node, Path.cwd(), settings)
        state = Path.cwd() / folder / "state" / made.inputs
        try:
            epochs = tuning.run(asked, train, state, run.log_epoch, settings.train.seed)
        except KeyboardInterrupt:
            with store.tolerate_loss(f"make sweep NAME={name}"):
                run.set_status("KILLED")
            raise

    trials = sweep.trials(epochs, asked)
    best = trials.iloc[0]
    caption = f"{settings.fetch.source} reviews, validation rows"
    written = write(folder, epochs, trials, figures.trials(epochs, {best.trial}, caption))
    show(trials)
    written.append(save_setting(folder / "best.yaml", asked.fixed | best[[*asked.space]].to_dict()))
    with store.tolerate_loss(f"make sweep NAME={name}"):
        track(run, epochs, asked)
        run.finish(best[sweep.OBJECTIVE], written)


def train_on_node(
    root: Path,
    settings: params.Params,
    values: dict[str, object],
    checkpoint: "Checkpoint",
    on_epoch_end: Callable,
) -> None:
    """Train as the stage does, with other values of parameters: a trial, on any node."""
    from sentiment.rnn import training

    os.chdir(root)
    settings = params.changed(settings, values, "the trial")
    training.train(settings, settings.train.seed, checkpoint, on_epoch_end)


def write(
    folder: Path, epochs: pd.DataFrame, trials: pd.DataFrame, figure: p9.ggplot
) -> list[Path]:
    """Write the tables and the figure; return their paths."""
    paths = [folder / name for name in ("epochs.csv", "trials.csv", "trials.png")]
    for path, table in zip(paths, (epochs, trials), strict=False):
        with files.atomic(path) as temporary:
            table.to_csv(temporary, index=False)
    with files.atomic(paths[-1]) as temporary:
        figures.save(figure, temporary)
    return paths


def show(trials: pd.DataFrame) -> None:
    """Print the result of each trial."""
    accuracies = dict.fromkeys([sweep.OBJECTIVE, "val_accuracy"], "{:.4f}".format)
    print(trials.to_string(index=False, float_format="{:.4g}".format, formatters=accuracies))


def save_setting(path: Path, values: dict[str, object]) -> Path:
    """Write the best setting as a recipe, and print the command that runs it."""
    with files.atomic(path) as temporary:
        YAML().dump(values, temporary)
    options = [f"--set-param {shlex.quote(f'{key}={value}')}" for key, value in values.items()]
    print(f"\nThe best setting, in {path} too:\ndvc exp run", *options)
    return path


def track(run: SweepLogger, epochs: pd.DataFrame, asked: sweep.Sweep) -> None:
    """Log each epoch of each trial that the store does not have yet."""
    for number, history in epochs.groupby("trial"):
        values = history.iloc[0][list(asked.space)].to_dict()
        history = history.drop(columns=["trial", *asked.space])
        run.log_trial(number, asked.fixed | values, history)


if __name__ == "__main__":
    console.run(main)
