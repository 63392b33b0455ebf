"""Escalate: who is to be told what, now, and why. Pure: it reads and writes nothing."""
