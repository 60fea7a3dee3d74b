"""YOLO labels: which files there are, what the numbers of a row mean, and the images they make."""
