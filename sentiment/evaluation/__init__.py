"""How good models are, and whether two of them differ."""
