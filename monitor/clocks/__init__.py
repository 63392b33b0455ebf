"""What clocks mean: which run, since when, until when, and what they say at an instant. Pure."""
