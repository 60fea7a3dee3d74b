"""Drawing: people, toys and furniture as vector sprites, and what a camera does to them."""
