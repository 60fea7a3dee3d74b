"""Video to tracks: decoding with presentation time stamps, detection, tracking, roles, anonymisation."""
