-- Who gets what comes to an address: other names of a domain, tags, patterns, the alias that takes the
-- rest, where an alias leads besides its mailbox, and who may write to it.

ALTER TABLE domain ADD COLUMN alias_of INTEGER REFERENCES domain (id) ON DELETE RESTRICT; -- another name of that one
ALTER TABLE domain ADD COLUMN catch_all INTEGER REFERENCES alias (id) ON DELETE SET NULL;
ALTER TABLE domain ADD COLUMN separators TEXT NOT NULL DEFAULT '+' CHECK (length(separators) <= 8); -- each begins a tag
CREATE INDEX domain_alias_of ON domain (alias_of);
CREATE INDEX domain_catch_all ON domain (catch_all);

ALTER TABLE alias ADD COLUMN answer INTEGER CHECK (answer IN (250, 421, 550));            -- NULL: it takes mail
ALTER TABLE alias ADD COLUMN to_mailbox INTEGER NOT NULL DEFAULT 1 CHECK (to_mailbox IN (0, 1));

CREATE TABLE target (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alias_id INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,
  kind INTEGER NOT NULL CHECK (kind IN (1, 2)),                       -- an address, a webhook
  target TEXT NOT NULL CHECK (length(target) BETWEEN 3 AND 2048),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  UNIQUE (alias_id, kind, target)
) STRICT;

-- Tried in the order of position, for local parts that no alias takes.
CREATE TABLE pattern (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER NOT NULL REFERENCES domain (id) ON DELETE CASCADE,
  position INTEGER NOT NULL CHECK (position BETWEEN 1 AND 1000000),
  pattern TEXT NOT NULL CHECK (length(CAST(pattern AS BLOB)) BETWEEN 1 AND 256),
  target TEXT NOT NULL CHECK (length(target) BETWEEN 3 AND 512),      -- an address with \1 … \9
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  UNIQUE (domain_id, position)
) STRICT;

-- Who may write: of a domain or of one alias. doc/recipients.md says which row decides.
CREATE TABLE access (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER REFERENCES domain (id) ON DELETE CASCADE,
  alias_id INTEGER REFERENCES alias (id) ON DELETE CASCADE,
  who TEXT NOT NULL CHECK (length(who) BETWEEN 1 AND 400),            -- a@b, b, 192.0.2.0/24, <>, *
  allow INTEGER NOT NULL CHECK (allow IN (0, 1)),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  CHECK ((domain_id IS NULL) <> (alias_id IS NULL))
) STRICT;
CREATE UNIQUE INDEX access_domain ON access (domain_id, who, allow) WHERE domain_id IS NOT NULL;
CREATE UNIQUE INDEX access_alias ON access (alias_id, who, allow) WHERE alias_id IS NOT NULL;
