"""One plug-in of each kind: a measure, a coding format, an annotation format, a detector."""
