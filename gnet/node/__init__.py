"""What Node would say: spellings, values, texts, errors, checks. Knows nothing of gnet."""
