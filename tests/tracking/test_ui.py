"""What a person looks at: the pages of MLflow and of DVC."""

import re
import socket
import sys
from types import SimpleNamespace

import pytest
import requests
from conftest import Copy, serving

from scripts import ui
from sentiment.errors import UserError
from sentiment.models import SAVED


@pytest.mark.parametrize("port", ["80000", "0", "-1", "abc", "", "5 000"])
def test_what_is_no_port_is_told(port):
    with pytest.raises(UserError, match=r"is no port: take a number from 1 to 65535"):
        ui.check_port("127.0.0.1", port)


def test_a_port_that_is_taken_is_told_and_nobody_else_s_address(inside, capsys, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI")  # MLflow has set it
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        monkeypatch.setattr(sys, "argv", ["ui", "--port", port])
        with pytest.raises(UserError, match=f"port {port} of 127.0.0.1 cannot be used: Address"):
            ui.main()
    assert "http://" not in capsys.readouterr().out


def test_a_server_s_password_is_not_printed(capsys, monkeypatch):
    monkeypatch.setattr(ui.store, "connect", lambda source: None)
    monkeypatch.setattr(ui.mlflow, "get_tracking_uri", lambda: "https://me:secret@host/mlflow/")
    monkeypatch.setattr(ui.mlflow, "set_experiment", lambda name: SimpleNamespace(experiment_id=1))
    monkeypatch.setattr(sys, "argv", ["ui"])
    ui.main()
    page = "https://host/mlflow/#/experiments/1/runs?workflowType=machine_learning"
    assert capsys.readouterr().out == f"The runs: {page}\n"


def test_a_free_port_stays_free():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    ui.check_port("127.0.0.1", str(port))
    socket.create_server(("127.0.0.1", port)).close()


@pytest.mark.slow
def test_a_project_that_has_moved_is_looked_at_with_its_figures(project, tmp_path):
    metrics = project.metrics
    moved = Copy(project.root.rename(tmp_path / "moved"))
    with serving(moved, "scripts.ui", health="/health") as address:
        api = f"{address}/api/2.0/mlflow"
        by_name = {"experiment_name": "sentiment-sample"}
        found = requests.get(f"{api}/experiments/get-by-name", by_name, timeout=60).json()
        query = {
            "experiment_ids": [found["experiment"]["experiment_id"]],
            "filter": "tags.stage = 'evaluate'",
        }
        (run,) = requests.post(f"{api}/runs/search", json=query, timeout=60).json()["runs"]
        scores = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
        accuracy = metrics["rnn_best_epoch"]["test"]["accuracy"]
        assert scores["rnn_best_epoch.test.accuracy"] == accuracy
        figure = {"run_uuid": run["info"]["run_id"], "path": "figures/roc.png"}
        answer = requests.get(f"{address}/get-artifact", figure, timeout=60)
        assert answer.content == (moved.root / "data/plots/roc.png").read_bytes()


@pytest.mark.slow
def test_the_runs_are_seen_in_a_browser(project, browser):
    scores = project.metrics
    accuracy = {key: f"{100 * scores[key]['test']['accuracy']:.1f}" for key in SAVED}
    comparison = f"rnn {accuracy['rnn_best_epoch']}, bag {accuracy['bag_of_ngrams']}"
    with serving(project, "scripts.ui", health="/health") as address:
        page, asked = browser.new_page(viewport={"width": 1800, "height": 900}), []
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(120_000)
        printed = re.search(r"The runs: (\S+)", (project.root / "server.log").read_text())
        page.goto(printed[1])
        page.get_by_text("In names of runs: accuracy on the test reviews").wait_for()
        page.get_by_role("link", name=comparison).click()  # all of its name is in the table

        page.get_by_text("reading in order beats some ways of counting").wait_for()
        page.get_by_text("Show more").click()
        row = page.get_by_role("row").filter(has_text="recurrent, best epoch")
        assert row.inner_text().split()[3] == f"{scores['rnn_best_epoch']['test']['accuracy']:.2%}"
        page.get_by_text("git checkout").wait_for()
        page.get_by_text("Metrics (20)").wait_for()
        page.get_by_role("link", name=f"baseline {accuracy['bag_of_ngrams']}").wait_for()
        page.get_by_role("tab", name="Artifacts").click()
        page.get_by_text("paired_tests.json").click()
        page.get_by_text("mcnemar_mid_p").wait_for()

        page.get_by_role("tab", name="Overview").click()
        page.get_by_role("link", name=f"train {accuracy['rnn_best_epoch']}").click()
        row = page.get_by_role("row").filter(has_text="test.log_loss")
        row.filter(has_text=str(scores["rnn_best_epoch"]["test"]["log_loss"])[:8]).wait_for()
        page.goto(printed[1].replace("/runs?", "/models?"))
        page.set_viewport_size({"width": 2600, "height": 900})  # it is the last column
        page.get_by_text("test.accuracy").wait_for()
        page.close()
    assert all(url.startswith((address, "data:", "blob:")) for url in asked)


# DVC's pages take Vega from the network, which the tests have not: what they give it is looked at.
VEGA = "window.vegaEmbed = (place, plot) => (window.drawn ??= {})[place] = plot"


@pytest.mark.slow
def test_dvc_s_page_has_the_same_plots_under_the_same_names(project, browser):
    project.dvc("plots", "show", "--out", "plots")
    page, complaints = browser.new_page(), []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.route(
        lambda url: url.startswith("https://"),
        lambda route: route.fulfill(body=VEGA, content_type="text/javascript"),
    )
    page.goto((project.root / "plots/index.html").as_uri())
    drawn = page.evaluate("drawn")
    images = page.evaluate("[...document.images].map(i => [i.src, i.naturalWidth])")
    page.close()

    assert complaints == []
    fields = {
        place: {row["field"] for row in plot["data"]["values"]} for place, plot in drawn.items()
    }
    assert fields == {
        "#loss": {"loss", "val_loss"},
        "#accuracy": {"accuracy", "val_accuracy"},
        "#ROC": {*SAVED},
        "#precision_and_recall": {*SAVED},
        "#calibration": {*SAVED},
    }
    assert [src.rpartition("plots_")[2] for src, width in images if width] == [
        "confusion.png",
        "lengths.png",
    ]
