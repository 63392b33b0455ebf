"""Exact time: instants, zones, calendars and limits. Pure, and it never asks what time it is."""
