"""Who is a child and who an adult: body proportions and faces to a probability, with an explicit *unknown*."""
