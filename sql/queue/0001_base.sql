-- What waits to be sent. Every page is under the page cipher with a subkey of the server key; deleted rows
-- are overwritten. Times are milliseconds since the epoch, UTC. Row ids carry what belongs together:
-- chunk.id = message << 12 | number, target.id = message << 14 | number, so neither needs an index.

CREATE TABLE message (
  id INTEGER PRIMARY KEY,
  tag BLOB NOT NULL CHECK (length(tag) = 8),      -- with the id, its name outside: ids are used again
  created INTEGER NOT NULL,
  event INTEGER NOT NULL,                         -- when to look at it again: it is late, or given up
  expires INTEGER NOT NULL,
  sender BLOB NOT NULL,
  origin INTEGER NOT NULL CHECK (origin BETWEEN 0 AND 2),
  submitter BLOB NOT NULL,
  signer BLOB NOT NULL,
  smtputf8 INTEGER NOT NULL CHECK (smtputf8 IN (0, 1)),
  eightbit INTEGER NOT NULL CHECK (eightbit IN (0, 1)),
  requiretls INTEGER NOT NULL CHECK (requiretls IN (0, 1)),
  ret INTEGER NOT NULL,
  envid BLOB NOT NULL,
  deliver_by INTEGER NOT NULL,                    -- 0: not said
  by_notify INTEGER NOT NULL CHECK (by_notify IN (0, 1)),
  priority INTEGER NOT NULL CHECK (priority BETWEEN -9 AND 9),
  facts BLOB NOT NULL,
  prepend BLOB NOT NULL,                          -- header lines of ours, signatures too
  bytes INTEGER NOT NULL CHECK (bytes >= 0),      -- prepend and chunks
  targets INTEGER NOT NULL CHECK (targets >= 0),  -- that are left
  told_delay INTEGER NOT NULL DEFAULT 0 CHECK (told_delay IN (0, 1))
) STRICT;
CREATE INDEX message_event ON message (event);

-- The bytes as they were staged.
CREATE TABLE chunk (
  id INTEGER PRIMARY KEY,
  data BLOB NOT NULL CHECK (length(data) > 0)
) STRICT;

-- A large body goes in by several transactions; what is named here has no message yet.
CREATE TABLE draft (message INTEGER PRIMARY KEY) STRICT;

-- Where mail goes, as long as some waits for it or it has been failing.
CREATE TABLE dest (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  ready INTEGER NOT NULL DEFAULT 0 CHECK (ready >= 0), -- targets in state 0
  remain INTEGER NOT NULL DEFAULT 0 CHECK (remain >= 0), -- targets in any state
  turn INTEGER NOT NULL DEFAULT 0,                -- not before; who waits longest is next
  fails INTEGER NOT NULL DEFAULT 0                -- times in a row that it did not answer
) STRICT;
CREATE INDEX dest_turn ON dest (turn) WHERE ready > 0;

-- One copy. state: 0 ready, 1 waits for `due`, 2 under way as `attempt`, 3 held by the operator.
CREATE TABLE target (
  id INTEGER PRIMARY KEY,
  dest INTEGER NOT NULL,
  state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
  rank INTEGER NOT NULL,                          -- its place among those of the same destination
  due INTEGER NOT NULL,
  attempts INTEGER NOT NULL DEFAULT 0,
  attempt INTEGER NOT NULL DEFAULT 0,
  kind INTEGER NOT NULL CHECK (kind IN (0, 1)),
  recipient BLOB NOT NULL,
  alias BLOB NOT NULL,
  notify INTEGER NOT NULL,
  orcpt BLOB NOT NULL,
  code INTEGER NOT NULL DEFAULT 0,
  answer BLOB                                     -- the last one
) STRICT;
CREATE INDEX target_ready ON target (dest, rank) WHERE state = 0;
CREATE INDEX target_wait ON target (due) WHERE state = 1;
CREATE INDEX target_under ON target (attempt) WHERE state = 2;

-- Delivery ids of the last days (16 bytes of them), and operation ids of the last hours with their answers.
CREATE TABLE seen (
  day INTEGER NOT NULL,
  id BLOB NOT NULL CHECK (length(id) = 16),
  PRIMARY KEY (day, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE operation (
  hour INTEGER NOT NULL,
  id BLOB NOT NULL CHECK (length(id) = 16),
  message BLOB NOT NULL CHECK (length(message) = 16),
  duplicates INTEGER NOT NULL,
  PRIMARY KEY (hour, id)
) STRICT, WITHOUT ROWID;

-- One row: sums, so that nothing is ever counted.
CREATE TABLE total (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  messages INTEGER NOT NULL DEFAULT 0,
  targets INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  relay BLOB                                      -- the life of the relay that was spoken with last
) STRICT;
INSERT INTO total (id) VALUES (1);

-- Signing keys: two a domain (RSA, Ed25519), sealed under a subkey of their own.
CREATE TABLE dkim_key (
  id INTEGER PRIMARY KEY,
  domain TEXT NOT NULL CHECK (domain = lower(domain)),
  selector TEXT NOT NULL,
  algorithm INTEGER NOT NULL CHECK (algorithm IN (0, 1)), -- 0 rsa-sha256, 1 ed25519-sha256
  private BLOB NOT NULL,
  record TEXT NOT NULL,
  created INTEGER NOT NULL,
  signs_from INTEGER NOT NULL,
  signs_until INTEGER NOT NULL DEFAULT 0,         -- 0: no end
  UNIQUE (domain, selector)
) STRICT;
