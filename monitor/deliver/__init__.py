"""From alerts that are owed to mails that were sent, and a record of both."""
