"""Assess: what changed in a case is folded into the clocks that it should have."""
