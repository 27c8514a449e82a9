"""Tests of what CI shows of a change."""

import re

import pytest

from sentiment import params


@pytest.mark.slow
def test_a_change_is_compared_with_its_base(project):
    base = project.run("git", "rev-parse", "HEAD").stdout.strip()
    params.override(project.root / "params.yaml", {"train.units": 6})
    project.commit()
    project.dvc("repro")

    said = project.run(".ci/compare", base).stdout
    assert re.search(r"data/metrics\.json +\| rnn_last_epoch\.test\.log_loss", said)
    assert not re.search(r"\| bag_of_ngrams\.test", said)
    assert re.search(r"train\.units +\| 28 +\| 6 ", said)
    page = (project.root / "plots/index.html").read_text()
    losses = set(re.findall(r'"rev": "(\w+)", "field": "val_loss"', page))
    assert len(losses) == 2
