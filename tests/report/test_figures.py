import numpy as np
import pandas as pd
import pytest

from sentiment.models import MODELS, SAVED
from sentiment.report import figures

CAPTION = "made-up reviews"
COUNTS = {
    "true_negatives": 11,
    "false_positives": 2,
    "false_negatives": 3,
    "true_positives": 14,
}
SCORES = {key: {"test": {"confusion": COUNTS}} for key in MODELS}


def history(epochs: int) -> pd.DataFrame:
    steps = np.arange(1, epochs + 1)
    return pd.DataFrame(
        {
            "epoch": steps,
            "loss": 0.7 / steps,
            "accuracy": 1 - 0.5 / steps,
            "val_loss": 0.7 - 0.01 * steps,
            "val_accuracy": 0.6 + 0.01 * steps,
        }
    )


def curve(x: str = "recall") -> pd.DataFrame:
    grid = np.linspace(0, 1, 11)
    return pd.DataFrame({x: grid} | {key: grid**i for i, key in enumerate(SAVED, start=1)})


def bins() -> pd.DataFrame:
    table = curve("bin")
    table.loc[3:5, "bag_of_ngrams"] = np.nan
    for name in SAVED:
        table[f"{name}_probability"] = table[name] * 0.9
        table[f"{name}_reviews"] = range(11)
    return table


def lengths() -> pd.DataFrame:
    return pd.DataFrame({"split": ["train", "test"] * 200, "steps": range(1, 801, 2)})


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.history(history(8), CAPTION),
        lambda: figures.roc(curve("false_positive_rate"), CAPTION),
        lambda: figures.precision_recall(curve(), CAPTION),
        lambda: figures.calibration(bins(), CAPTION),
        lambda: figures.confusion(SCORES, CAPTION),
        lambda: figures.lengths(lengths(), 500, CAPTION),
        lambda: figures.trace(["not", "bad"], [0.2, 0.6]),
    ],
    ids=["history", "roc", "precision_recall", "calibration", "confusion", "lengths", "trace"],
)
def test_a_figure_is_a_png_the_same_bytes_each_time(tmp_path, draw):
    one, two = tmp_path / "1.png", tmp_path / "2.partial"
    figures.save(draw(), one)
    figures.save(draw(), two)
    assert one.read_bytes().startswith(b"\x89PNG\r\n")
    assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize("epochs", [1, 4, 5, 6])
def test_a_short_history_is_drawn_too(tmp_path, epochs):
    figures.save(figures.history(history(epochs), CAPTION), tmp_path / "history.png")
    assert (tmp_path / "history.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("epochs", "layers"), [(4, ["geom_point"]), (5, ["geom_point", "geom_smooth"])]
)
def test_a_line_is_fitted_where_there_are_points_enough(epochs, layers):
    drawn = figures.history(history(epochs), CAPTION).layers
    assert [type(layer.geom).__name__ for layer in drawn] == layers


def test_a_history_is_a_facet_for_each_metric_and_a_colour_for_each_split():
    data = figures.history(history(3), CAPTION).data
    assert set(zip(data["metric"], data["data"], strict=True)) == {
        ("loss", "training"),
        ("loss", "validation"),
        ("accuracy", "training"),
        ("accuracy", "validation"),
    }
    validation = data[(data["metric"] == "loss") & (data["data"] == "validation")]
    assert validation["value"].tolist() == history(3)["val_loss"].tolist()


@pytest.mark.parametrize(
    ("limits", "breaks"),
    [
        ((1, 1), [1]),
        ((1, 4), [1, 2, 3, 4]),
        ((0.05, 4.2), [1, 2, 3, 4]),
        ((1, 10), list(range(1, 11))),
        ((1, 25), list(range(1, 26, 2))),
    ],
)
def test_epochs_are_whole_numbers_within_the_axis(limits, breaks):
    assert figures._whole_numbers(limits) == breaks


def test_each_model_has_a_colour_of_its_own():
    looks = {(model.title, model.colour) for model in MODELS.values()}
    assert len({title for title, _ in looks}) == len({colour for _, colour in looks}) == len(MODELS)


def test_an_empty_bin_is_no_point():
    data = figures.calibration(bins(), CAPTION).data
    assert not data["value"].isna().any()
    assert len(data) == 11 * len(SAVED) - 3
    assert data["probability"].tolist() == pytest.approx((data["value"] * 0.9).tolist())


@pytest.mark.parametrize(
    ("actual", "predicted", "reviews", "share"),
    [
        ("negative", "negative", 11, 11 / 13),
        ("negative", "positive", 2, 2 / 13),
        ("positive", "negative", 3, 3 / 17),
        ("positive", "positive", 14, 14 / 17),
    ],
)
def test_a_confusion_matrix_has_each_count_in_its_place(actual, predicted, reviews, share):
    data = figures.confusion(SCORES, CAPTION).data
    cells = data[(data["actual"] == actual) & (data["predicted"] == predicted)]
    assert cells["reviews"].tolist() == [reviews] * len(SAVED)
    assert cells["share"].tolist() == pytest.approx([share] * len(SAVED))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.history(history(2), CAPTION),
        lambda: figures.lengths(lengths(), 500, CAPTION),
    ],
    ids=["history", "lengths"],
)
def test_a_figure_says_which_reviews_it_is_about(draw):
    assert draw().labels.caption == CAPTION


@pytest.mark.parametrize("best", [set(), {1}, {0, 1}])
def test_trials_are_lines_with_the_best_setting_on_top(tmp_path, best):
    tables = [history(epochs).assign(trial=trial) for trial, epochs in enumerate((2, 5))]
    figure = figures.trials(pd.concat(tables), best, CAPTION)
    last = figure.data.setting.iloc[-1]
    assert last == ("the best setting" if best else "other settings")
    figures.save(figure, tmp_path / "trials.png")
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")
