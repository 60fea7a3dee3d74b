"""Relations and events between people and objects, from their tracks."""
