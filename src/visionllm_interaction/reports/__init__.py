"""What HTML pages share (template, style, boxes drawn on images), and the report of a whole run."""
