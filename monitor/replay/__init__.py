"""A history lived through in memory: what would be told when, and scenarios beside the rules.

It asks the same pure functions as the stages and gives nothing a meaning of its own. No store, no
settings, no `now` but the instants of the history itself.
"""
