"""How well planners read questions: forms with known answers, an independent oracle, scores."""
