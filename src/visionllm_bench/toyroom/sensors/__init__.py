"""What other sensors record of a video of the play room: microphones, eye trackers, the head camera's IMU."""
