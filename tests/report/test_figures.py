import numpy as np
import pandas as pd
import pytest

from sentiment.report import figures

CAPTION = "made-up reviews"
MODELS = list(figures.MODELS)
COUNTS = {
    "true_negatives": 11,
    "false_positives": 2,
    "false_negatives": 3,
    "true_positives": 14,
}


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


def curve() -> pd.DataFrame:
    grid = np.linspace(0, 1, 11)
    return pd.DataFrame({"recall": grid} | {m: grid**i for i, m in enumerate(MODELS, start=1)})


def bins() -> pd.DataFrame:
    table = curve().rename(columns={"recall": "bin"})
    table.loc[3:5, "baseline"] = np.nan
    for name in MODELS:
        table[f"{name}_probability"] = table[name] * 0.9
        table[f"{name}_reviews"] = range(11)
    return table


def lengths() -> pd.DataFrame:
    words = range(1, 801, 2)
    return pd.DataFrame({"split": ["train", "test"] * 200, "words": words, "reviews": words})


@pytest.mark.parametrize(
    "draw",
    [
        lambda: figures.history(history(8), CAPTION),
        lambda: figures.curves(curve(), "Precision and recall", "precision", CAPTION),
        lambda: figures.calibration(bins(), CAPTION),
        lambda: figures.confusion(dict.fromkeys(MODELS, COUNTS), CAPTION),
        lambda: figures.lengths(lengths(), 500, CAPTION),
    ],
    ids=["history", "curves", "calibration", "confusion", "lengths"],
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
    names, colours = zip(*figures.MODELS.values(), strict=True)
    assert len(set(names)) == len(set(colours)) == len(MODELS)


def test_an_empty_bin_is_no_point():
    data = figures.calibration(bins(), CAPTION).data
    assert not data["value"].isna().any()
    assert len(data) == 11 * len(MODELS) - 3
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
    data = figures.confusion(dict.fromkeys(MODELS, COUNTS), CAPTION).data
    cells = data[(data["actual"] == actual) & (data["predicted"] == predicted)]
    assert cells["reviews"].tolist() == [reviews] * len(MODELS)
    assert cells["share"].tolist() == pytest.approx([share] * len(MODELS))


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
