"""Rules, ladders, calendars and the vocabulary, from files to something that can be asked."""
