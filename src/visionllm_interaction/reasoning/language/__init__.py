"""What words of a question mean: English, Bokmål and Nynorsk."""
