"""Optuna studies over the settings of training."""
