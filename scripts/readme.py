"""Bring the README's results up to date with the last run: `make readme`."""

import json
import re
import shutil
from pathlib import Path

from sentiment import console
from sentiment.figures import COMPARED


def main() -> None:
    scores = json.loads(Path("data/metrics.json").read_bytes())
    if scores["reviews"] != "imdb":
        raise console.UserError("data/metrics.json is not of the real reviews: run `make repro`")
    fill("README.md", "results", table(scores))
    shutil.copy("data/plots/history.png", "docs/history.png")


def fill(document: str, mark: str, content: str) -> None:
    """Put content between the marks `<!-- MARK: ... -->` and `<!-- /MARK -->` of a document."""
    text = Path(document).read_text()
    marked = re.compile(rf"(<!-- {mark}:.*? -->\n).*?(<!-- /{mark} -->)", re.DOTALL)
    Path(document).write_text(marked.sub(lambda found: found[1] + content + found[2], text))


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
