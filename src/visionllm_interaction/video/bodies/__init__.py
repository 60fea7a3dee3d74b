"""Faces, hands and poses of the people in a video, by small models on the crop of each person."""
