"""What happens in a video: an account in sentences, each a claim with its evidence."""
