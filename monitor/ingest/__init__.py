"""The room where files of a source become events: feeds, reading, mapping, heartbeat.

What comes in: feed files written by people, and the files that sources drop.
What goes out: events, and for every row that could not become one the reason why.
It does not care how events are kept or what follows from them.
"""
