import pytest
import requests
from conftest import Copy, serving


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
            "filter": "tags.result = 'comparison'",
        }
        (run,) = requests.post(f"{api}/runs/search", json=query, timeout=60).json()["runs"]
        scores = {metric["key"]: metric["value"] for metric in run["data"]["metrics"]}
        assert scores["recurrent.test.accuracy"] == metrics["recurrent"]["test"]["accuracy"]
        figure = {"run_uuid": run["info"]["run_id"], "path": "figures/roc.png"}
        answer = requests.get(f"{address}/get-artifact", figure, timeout=60)
        assert answer.content == (moved.root / "data/plots/roc.png").read_bytes()
