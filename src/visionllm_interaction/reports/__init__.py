"""One self-contained HTML file that shows a whole run: artifacts, images, curves, timelines, questions."""
