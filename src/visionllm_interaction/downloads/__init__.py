"""Files from servers: continued after interruptions, checked before they are put in place."""
