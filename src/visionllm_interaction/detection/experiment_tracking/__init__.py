"""Training runs and studies in MLflow or DagsHub; what a server missed is delivered later."""
