"""The web page: NiceGUI; every file is served from here, and nothing is loaded from another host."""
