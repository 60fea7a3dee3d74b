"""From results to sentences: claims, their verification and their paraphrase."""
