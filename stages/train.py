"""Train the recurrent network: `python -m stages.train`.

Saves the network after the last epoch, as the course does, and after the epoch of the best
validation accuracy. Interrupted training resumes after its last complete epoch.
"""

from pathlib import Path

import pandas as pd

from sentiment import console, files, lineage, params, paths, processes
from sentiment.data import splits
from sentiment.paths import of_seed
from sentiment.rnn.kernels import simple_rnn
from sentiment.tracking.tracker import tracked


def main() -> None:
    settings = params.read()
    with tracked("train", settings.fetch.source) as tracker:
        # Kernels that are not in numba's cache compile while TensorFlow is imported.
        with processes.beside(simple_rnn.compile_kernels):
            from sentiment.rnn import training
            from sentiment.rnn.checkpoint import Checkpoint
            from sentiment.rnn.model import predict_with_network, save_network

        tracker.require_store()
        inputs = lineage.of_stage("train").inputs
        networks, histories = [], {}
        for number, seed in enumerate(settings.train_seeds):
            checkpoint = Checkpoint(paths.CHECKPOINT.format(number), inputs)
            on_epoch_end = tracker.log_epoch if number == 0 else None
            last, best = training.train(settings, seed, checkpoint, on_epoch_end)
            validation = predict_with_network(best, splits.load("validation").x)
            if settings.train.refit:
                again = Checkpoint(paths.REFIT_CHECKPOINT.format(number), inputs)
                best = training.refit(settings, seed, checkpoint.best_epoch, again)
            networks.append((last, best, validation))
            histories[seed] = checkpoint.history

        for number, (last, best, validation) in enumerate(networks):
            save_network(last, of_seed(paths.LAST_EPOCH, number))
            save_network(best, of_seed(paths.BEST_EPOCH, number))
            splits.save_validation(of_seed(paths.BEST_EPOCH_VALIDATION, number), validation)
        with files.atomic(paths.HISTORY) as path:
            histories[settings.train.seed].to_csv(path, index=False)
        with files.atomic(paths.SEEDS_HISTORY) as path:
            pd.concat(histories, names=["seed"]).droplevel(1).to_csv(path)
        files.keep_only(paths.RNN_SEEDS, ["history.csv", *map(str, range(1, settings.num_seeds))])
        for number in range(settings.num_seeds):
            for template in (paths.CHECKPOINT, paths.REFIT_CHECKPOINT):
                Path(template.format(number)).unlink(missing_ok=True)


if __name__ == "__main__":
    console.run(main)
