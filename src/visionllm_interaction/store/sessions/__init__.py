"""Sessions: recordings of one visit on one clock, such as the chapters into which a camera cut its video."""
