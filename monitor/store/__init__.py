"""The only door to the database: tables, questions, commands, migrations."""
