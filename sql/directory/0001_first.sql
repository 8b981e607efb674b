-- Accounts: domains, aliases, and the state of each mailbox's keys. No mail, no password, no verifier.
-- Names are compared by these texts: domains as lower-case A-labels, local parts in NFC with ASCII
-- letters in lower case. Dates are ISO 8601 UTC of fixed width.

CREATE TABLE domain (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 253 AND name = lower(name)),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z')
) STRICT;

CREATE TABLE alias (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER NOT NULL REFERENCES domain (id) ON DELETE RESTRICT,
  local TEXT NOT NULL CHECK (length(CAST(local AS BLOB)) BETWEEN 1 AND 64 AND local = lower(local)),
  address TEXT NOT NULL CHECK (length(address) BETWEEN 3 AND 320),
  mailbox_id BLOB UNIQUE CHECK (mailbox_id IS NULL OR length(mailbox_id) = 12),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  UNIQUE (domain_id, local)
) STRICT;

-- One row a mailbox; more while a change of keys is under way (prepared, not yet committed).
CREATE TABLE key_state (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alias_id INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,
  state BLOB NOT NULL CHECK (length(state) BETWEEN 16 AND 256),
  UNIQUE (alias_id, state)
) STRICT;
