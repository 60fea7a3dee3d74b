"""Requests and responses of the API as models, from which the OpenAPI document is made; one module for each subject."""
