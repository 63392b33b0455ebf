"""The evidence pack: what an inspector is handed, section by section."""
