"""Bring the README's results up to date with the last run: `make readme`."""

import json
import re
import shutil
from pathlib import Path

from sentiment import console, paths
from sentiment.errors import UserError
from sentiment.models import MODELS, NETWORK
from sentiment.report.wording import comparison_sentence

TIERS = {
    "labelled": "Learned from the 25,000 labelled reviews alone",
    "all": "Learned from the 50,000 unlabelled reviews too",
}


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
    """Return the recipes' results as Markdown, a table for each tier.

    In a table the least accurate on validation comes first.
    """
    columns = ["recipe", "bag", "recurrent", "blend", "blend less bag", "validation", "seeds"]
    columns += ["seconds", "machine", "commit"]
    lines = []
    for tier, title in TIERS.items():
        of_tier = {name: found for name, found in results.items() if found["tier"] == tier}
        lines += [f"**{title}**", "", f"| {' | '.join(columns)} |", "|---" * len(columns) + "|"]
        for name in sorted(of_tier, key=lambda name: of_tier[name]["validation"]["mean"]):
            lines.append(f"| [{name}](recipes/{name}.yaml) | {recipe_row(of_tier[name])} |")
        lines.append("")
    return "\n".join(lines)


def recipe_row(result: dict) -> str:
    """Return a recipe's cells but for its name; accuracies as test, in brackets validation."""
    models = {result["kind"]: result} | result["beside"]
    accuracies = [
        f"{in_percent(models[kind]['test'])} ({in_percent(models[kind]['validation'])})"
        for kind in ("bag", "recurrent", "blend")
    ]
    pair = models["blend"]["against_bag"]
    return " | ".join(
        [
            *accuracies,
            f"{100 * pair['difference']:+.2f}",
            result["validated_on"],
            str(result["test"]["seeds"]),
            f"{result['seconds']:,}",
            result["machine"],
            result["commit"][:7],
        ]
    )


def in_percent(accuracy: dict) -> str:
    """Return an accuracy as text.

    Example:
        >>> in_percent({"mean": 0.9021, "standard_deviation": 0.0012, "seeds": 3})
        '90.21 ± 0.12%'
        >>> in_percent({"mean": 0.9021, "standard_deviation": None, "seeds": 1})
        '90.21%'
    """
    deviation = accuracy["standard_deviation"]
    around = "" if deviation is None else f" ± {100 * deviation:.2f}"
    return f"{100 * accuracy['mean']:.2f}{around}%"


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
