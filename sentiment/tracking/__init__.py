"""MLflow: it watches, and no result depends on it."""
