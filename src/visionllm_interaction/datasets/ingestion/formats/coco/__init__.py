"""COCO's own JSON in the layouts that tools write it in, and the writer that all other formats end in."""
