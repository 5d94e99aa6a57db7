"""The learnt sentiment model: hashed words and characters, small integer tables, numpy."""
