"""Bring the README's results up to date with the last run: `make readme`."""

import json
import re
import shutil
from pathlib import Path

from sentiment import console, paths
from sentiment.errors import UserError
from sentiment.models import MODELS, NETWORK
from sentiment.report.wording import comparison_sentence

SPLITS = ("validation", "test")


def main() -> None:
    details = load(paths.COMPARISON)
    if details["reviews"] != "imdb":
        raise UserError(f"{paths.COMPARISON} is not of the real reviews: run `make repro`")
    fill("README.md", "results", table(load(paths.METRICS), details))
    fill("README.md", "speed", speed(load("benchmarks/results.json")))
    fill("README.md", "recipes", recipes(load("recipes/results.json")))
    shutil.copy(paths.FIGURES["history"], "docs/history.png")


def load(path: str) -> dict:
    """Return what a file of results holds."""
    return json.loads(Path(path).read_bytes())


def fill(document: str, mark: str, content: str) -> None:
    """Put content between the marks `<!-- MARK: ... -->` and `<!-- /MARK -->` of a document.

    Raises:
        UserError: if the document has not one such block.
    """
    marked = re.compile(rf"(<!-- {mark}:.*? -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    text, count = marked.subn(
        lambda found: found[1] + content + found[2], Path(document).read_text()
    )
    if count != 1:
        raise UserError(f"{document} has {count} blocks <!-- {mark}: ... -->, not one")
    Path(document).write_text(text)


def speed(measured: dict) -> str:
    """Return what `make bench` measured as a Markdown table, the quickest to train first."""
    lines = [
        f"| on {measured['machine']} | training, s | times as long | scoring, s | times as long "
        "| peak memory, MB |",
        "|---|---|---|---|---|---|",
    ]
    for cell, found in measured["cells"].items():
        engines = found["engines"]
        fused = engines["fused"]
        for engine in sorted(engines.values(), key=lambda one: one["training"]["median"]):
            values = " | ".join(
                f"{engine[job]['median']:.2f} | {engine[job]['median'] / fused[job]['median']:.1f}"
                for job in ("training", "scoring")
            )
            title = f"{cell}: {engine['title']}"
            lines.append(f"| {title} | {values} | {engine['peak_memory_mb']:,.0f} |")
    return "\n".join(lines) + "\n"


def recipes(results: dict) -> str:
    """Return the recipes' results as a Markdown table, the least accurate on validation first."""
    lines = [
        "| recipe | network, validation | test | blend, validation | test | seconds | commit |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, found in sorted(results.items(), key=lambda item: item[1]["network"]["validation"]):
        accuracies = (found[model][split] for model in ("network", "blend") for split in SPLITS)
        values = " | ".join([*(f"{value:.2%}" for value in accuracies), f"{found['seconds']:,}"])
        lines.append(f"| [{name}](recipes/{name}.yaml) | {values} | {found['commit'][:7]} |")
    return "\n".join(lines) + "\n"


def table(headline: dict, details: dict) -> str:
    """Return the models' scores as a Markdown table, and below it how the like-for-like compare."""
    lines = [
        "| on the 25,000 test reviews | accuracy | ROC AUC | log loss |",
        "|---|---|---|---|",
    ]
    for key, model in MODELS.items():
        test = headline[key]["test"]
        values = f"{test['accuracy']:.2%} | {test['roc_auc']:.3f} | {test['log_loss']:.3f}"
        lines.append(f"| {model.title} | {values} |")
    pair = details["comparison"][NETWORK]["bag_of_words"]
    lines += ["", comparison_sentence(NETWORK, "bag_of_words", pair)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    console.run(main)
