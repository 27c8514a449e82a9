"""What a person reads of a run in MLflow: its name, its description in Markdown, its tables.

The table of runs shows no metrics unless columns are chosen, and some 20 letters of a name: so the
accuracies are in the names.
"""

import pandas as pd

from sentiment.models import MODELS, NETWORK, SAVED
from sentiment.report import wording

NAMED = {"rnn": NETWORK, "bag": "bag_of_ngrams"}  # the models whose accuracies are in names
EXPERIMENT = (
    "In names of runs: accuracy on the test reviews, in percent, of the network after its best "
    "epoch (rnn) and of the bag of n-grams (bag). Models, on the left, lists all."
)
GAP = "&ensp;"  # MLflow leaves no space between cells
SPLITS = ("test", "validation")
COLUMNS = {  # columns of the table of models, by split and score
    "accuracy": ("test", "accuracy", "{:.2%}"),
    "ROC AUC": ("test", "roc_auc", "{:.3f}"),
    "log loss": ("test", "log_loss", "{:.3f}"),
    "validation accuracy": ("validation", "accuracy", "{:.2%}"),
}


def run_name(stage: str, experiment: str | None = None, headline: dict | None = None) -> str:
    """Return the name of a run.

    Args:
        stage: The stage that the run is about.
        experiment: The name of the DVC experiment in which it ran, if any.
        headline: The scores of models by key, as in data/metrics.json, once they are known.

    Example:
        >>> scores = {"rnn_best_epoch": {"test": {"accuracy": 0.8584}}}
        >>> run_name("train", "small", scores)
        'small train 85.8'
    """
    scores = {
        name: f"{100 * headline[key]['test']['accuracy']:.1f}"
        for name, key in NAMED.items()
        if headline and key in headline
    }
    if stage == "evaluate" and scores:
        words = ", ".join(f"{name} {score}" for name, score in scores.items())
    else:
        words = " ".join([stage, *scores.values()])
    return f"{experiment} {words}" if experiment else words


def comparison(headline: dict[str, dict], details: dict, state: dict[str, str]) -> str:
    """Return the description of a run that compares the models.

    Args:
        headline: What data/metrics.json holds.
        details: What data/comparison.json holds.
        state: As `repository.state` returns it.
    """
    yes_or_no, why = wording.answer(details["comparison"], details["tier"])
    reviews = sum(details["models"][NETWORK]["test"]["confusion"].values())
    rows = {
        MODELS[key].title: [
            form.format(scores[split][name]) for split, name, form in COLUMNS.values()
        ]
        for key, scores in headline.items()
    }
    return "\n\n".join(
        [
            f"**{yes_or_no}** {why}",
            _markdown_table(f"on {reviews:,} test reviews", [*COLUMNS], rows),
            how_to_repeat(state),
            "Under Artifacts: tables of scores, confusion, paired tests and slices; figures; the "
            "report.",
        ]
    )


def bags(candidates: pd.DataFrame, state: dict[str, str]) -> str:
    """Return the description of a run that fitted the bags.

    Args:
        candidates: seed, model, C, and accuracy and log_loss on the validation reviews.
        state: As `repository.state` returns it.
    """
    first = candidates[candidates["seed"] == candidates["seed"].iloc[0]]
    chosen = first.loc[first.groupby("model", sort=False)["log_loss"].idxmin()]
    rows = {
        MODELS[row.model].title: [f"`{row.model}`", f"{row.C:g}", f"{row.accuracy:.2%}"]
        for row in chosen.itertuples()
    }
    return "\n\n".join(
        [
            "The bags: logistic regression on the words of a review, in any order.",
            _markdown_table("", ["logged as", "C", "validation accuracy"], rows),
            how_to_repeat(state),
        ]
    )


def network(history: pd.DataFrame, state: dict[str, str]) -> str:
    """Return the description of a run that trained the network.

    Args:
        history: epoch and val_accuracy; a row for each epoch.
        state: As `repository.state` returns it.
    """
    best, last = history.loc[history["val_accuracy"].idxmax()], history.iloc[-1]
    rows = {
        MODELS[key].title: [f"`{key}`", f"{epoch.epoch:.0f}", f"{epoch.val_accuracy:.2%}"]
        for key, epoch in (("rnn_last_epoch", last), ("rnn_best_epoch", best))
    }
    return "\n\n".join(
        [
            "The recurrent network, which reads the words of a review in order.",
            _markdown_table("", ["logged as", "epoch", "validation accuracy"], rows),
            how_to_repeat(state),
        ]
    )


def how_to_repeat(state: dict[str, str]) -> str:
    """Return the commands that give the results of a run again, in Markdown.

    Args:
        state: As `repository.state` returns it.

    Example:
        >>> print(how_to_repeat({"git.commit": "3d20700e", "git.dirty": "False"}))
        The same results again:
        <BLANKLINE>
            git checkout 3d20700e && make repro
    """
    command, remark = "make repro", ""
    if experiment := state.get("dvc.experiment"):
        command = f"dvc exp apply {experiment}"
    elif commit := state.get("git.commit"):
        command = f"git checkout {commit} && {command}"
        if state["git.dirty"] == "True":
            remark = ", with the same uncommitted changes"
    else:
        remark = ", with the parameters below"
    return f"The same results again{remark}:\n\n    {command}"


def tables(details: dict[str, dict]) -> dict[str, pd.DataFrame]:
    """Return the tables of a comparison by name.

    Args:
        details: What data/comparison.json holds.
    """
    scores = [
        {"model": MODELS[key].title, "split": split}
        | {name: value for name, value in scores[split].items() if name != "confusion"}
        for key, scores in details["models"].items()
        for split in SPLITS
    ]
    confusion = [
        {"model": MODELS[key].title, "split": split} | scores[split]["confusion"]
        for key, scores in details["models"].items()
        for split in SPLITS
    ]
    paired = [
        {"model": MODELS[key].title, "compared with": MODELS[bag].title}
        | {name: value for name, value in pair.items() if name != "pairs"}
        | {f"right: {name}": count for name, count in pair["pairs"].items()}
        for key, pairs in details["comparison"].items()
        for bag, pair in pairs.items()
    ]
    sliced = [
        {"slice": kind, "reviews with": name, "reviews": row["reviews"]}
        | {MODELS[key].title: row[key] for key in SAVED}
        for kind, rows in details["slices"].items()
        for name, row in rows.items()
    ]
    return {
        "scores": pd.DataFrame(scores),
        "confusion": pd.DataFrame(confusion),
        "paired_tests": pd.DataFrame(paired),
        "slices": pd.DataFrame(sliced),
    }


def _markdown_table(corner: str, columns: list[str], rows: dict[str, list[str]]) -> str:
    table = {corner: columns} | rows
    lines = [[title, *(GAP + cell for cell in cells)] for title, cells in table.items()]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
