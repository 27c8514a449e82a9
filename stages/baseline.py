"""Fit a bag of words, to have something to beat: `python stages/baseline.py`."""

from sentiment import bag_of_words, console, dataset, params, tracking

MODEL = "data/baseline/model.skops"
ENCODER = "data/padded/encoder.json"


def main() -> None:
    settings = params.read()
    tracking.connect(settings.fetch.source)
    fitted_on, chosen_on = dataset.divide(
        dataset.load("data/padded", "train"), settings.validation_split
    )
    model, accuracy = bag_of_words.choose(
        settings.baseline.C, settings.pad.num_words, fitted_on, chosen_on
    )
    for C, value in accuracy.items():
        print(f"C = {C:<6} validation accuracy {value:.4f}")
    bag_of_words.save(model, MODEL)
    with tracking.tolerated():
        track()


def track() -> None:
    """Log the present baseline to MLflow."""
    with tracking.result("baseline", "baseline") as run:
        if run:
            tracking.log_reviews("data/raw/reviews.parquet")
            tracking.log_model("baseline", MODEL, ENCODER)


if __name__ == "__main__":
    console.run(main)
