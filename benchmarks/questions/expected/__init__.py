"""What right answers to the questions of each list say, from the truth of the videos."""
