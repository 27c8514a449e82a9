"""Bring the README's results up to date with the last run: `make readme`."""

import json
import re
import shutil
from pathlib import Path

from sentiment import console
from sentiment.figures import COMPARED

README = Path("README.md")


def main() -> None:
    scores = json.loads(Path("data/metrics.json").read_bytes())
    if scores["reviews"] != "imdb":
        raise console.UserError("data/metrics.json is not of the real reviews: run `make repro`")
    text = README.read_text()
    marked = re.compile(r"(<!-- results:.*? -->\n).*?(<!-- /results -->)", re.DOTALL)
    README.write_text(marked.sub(lambda found: found[1] + table(scores) + found[2], text))
    shutil.copy("data/plots/history.png", "docs/history.png")


def table(scores: dict) -> str:
    """Return the models' scores as a Markdown table."""
    lines = [
        "| on the 25,000 test reviews | accuracy | ROC AUC | log loss |",
        "|---|---|---|---|",
    ]
    for model, (label, _) in COMPARED.items():
        test = scores[model]["test"]
        values = f"{test['accuracy']:.2%} | {test['roc_auc']:.3f} | {test['log_loss']:.3f}"
        lines.append(f"| {label} | {values} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    console.run(main)
