"""Makes the folder of the helpers importable for the tests of the folders below."""
