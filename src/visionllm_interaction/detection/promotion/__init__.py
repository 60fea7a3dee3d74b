"""From the model registry to the service: a version serves only after it was compared with the one that does."""
