-- What was decided about the mail of a person, for some days. Entries go in the order they came: the first ids are
-- the oldest.

CREATE TABLE entry (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  at TEXT NOT NULL CHECK (at GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  person TEXT NOT NULL CHECK (length(person) BETWEEN 1 AND 320),
  other TEXT NOT NULL,
  service TEXT NOT NULL,
  event TEXT NOT NULL,
  ref TEXT NOT NULL,
  why TEXT NOT NULL,
  client TEXT NOT NULL,
  name TEXT NOT NULL,
  auth TEXT NOT NULL,
  bytes INTEGER NOT NULL CHECK (bytes >= 0),
  tls INTEGER NOT NULL CHECK (tls IN (0, 1))
) STRICT;
CREATE INDEX entry_person ON entry (person, at);
