"""Video in, tracks out: decoding with real time stamps, detection, tracking, roles."""
