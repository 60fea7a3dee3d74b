"""Tests and models that respect the design: children are independent, moments of one child are not."""
