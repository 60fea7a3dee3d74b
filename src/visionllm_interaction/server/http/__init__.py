"""What every answer has, whichever route it comes from: ETags, compression, HEAD, patience with slow clients."""
