"""Figures and the weekly digest: from clocks and what was said to what a supervisor reads. Pure."""
