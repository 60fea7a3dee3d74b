-- Runs once, when the database volume is new: jobs live in "visionllm" (made by the image), experiments in "mlflow".
CREATE DATABASE mlflow;
