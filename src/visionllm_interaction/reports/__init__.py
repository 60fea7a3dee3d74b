"""One self-contained HTML file that shows a whole run: artifacts, pictures, curves, timelines, questions."""
