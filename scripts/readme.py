"""Bring the README's results up to date with the last run: `make readme`."""

import json
import re
import shutil
from pathlib import Path

from sentiment import console
from sentiment.figures import MODELS

README = Path("README.md")
RESULTS = Path("recipes/results.json")


def main() -> None:
    scores = json.loads(Path("data/metrics.json").read_bytes())
    if scores["reviews"] != "imdb":
        raise console.UserError("data/metrics.json is not of the real reviews: run `make repro`")
    text = README.read_text()
    marked = re.compile(r"(<!-- results:.*? -->\n).*?(<!-- /results -->)", re.DOTALL)
    text = marked.sub(lambda found: found[1] + table(scores) + found[2], text)
    marked = re.compile(r"(<!-- recipes:.*? -->\n).*?(<!-- /recipes -->)", re.DOTALL)
    results = json.loads(RESULTS.read_bytes())
    README.write_text(marked.sub(lambda found: found[1] + recipes(results) + found[2], text))
    shutil.copy("data/plots/history.png", "docs/history.png")


def recipes(results: dict) -> str:
    """Return the recipes' results as a Markdown table, the least accurate on validation first."""
    lines = [
        "| recipe | validation | test | seconds | commit |",
        "|---|---|---|---|---|",
    ]
    for name, found in sorted(results.items(), key=lambda item: item[1]["validation"]):
        values = f"{found['validation']:.2%} | {found['test']:.2%} | {found['seconds']:,}"
        lines.append(f"| [{name}](recipes/{name}.yaml) | {values} | {found['commit'][:7]} |")
    return "\n".join(lines) + "\n"


def table(scores: dict) -> str:
    """Return the models' scores as a Markdown table."""
    lines = [
        "| on the 25,000 test reviews | accuracy | ROC AUC | log loss |",
        "|---|---|---|---|",
    ]
    for model, (label, _) in MODELS.items():
        test = scores[model]["test"]
        values = f"{test['accuracy']:.2%} | {test['roc_auc']:.3f} | {test['log_loss']:.3f}"
        lines.append(f"| {label} | {values} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    console.run(main)
