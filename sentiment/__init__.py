"""What the stages are made of: one module for each noun of the field."""

import os

# Quiet logs and no telemetry; here, since the libraries read these when they are first imported.
for _name, _value in {
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # Ray Tune's boxes
    "RAY_DATA_LOG_LEVEL": "ERROR",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # a server that is down is told of in seconds
}.items():
    os.environ.setdefault(_name, _value)
