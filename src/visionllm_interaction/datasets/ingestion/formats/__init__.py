"""Other annotation formats → COCO. What COCO cannot hold is listed, never dropped in silence."""
