"""How far explanations can be believed."""
