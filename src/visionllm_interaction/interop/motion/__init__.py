"""Motion sensors of worn cameras (GoPro, BabyView): head speed, and when the head moves or is still."""
