"""Images and boxes for the training loop."""
