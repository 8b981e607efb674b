-- What a domain's webhooks are signed with, sealed under a subkey of its own.
CREATE TABLE webhook_key (
  id INTEGER PRIMARY KEY,
  domain TEXT NOT NULL UNIQUE CHECK (domain = lower(domain)),
  private BLOB NOT NULL,
  created INTEGER NOT NULL
) STRICT;
