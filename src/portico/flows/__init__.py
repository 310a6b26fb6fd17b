"""What Portico does: one file per verb, the only place where parts meet."""
