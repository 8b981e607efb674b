-- What those who log in to send may do, and how much they have sent today.

-- Of an account, a domain or an alias. NULL: not said here, so that the next wider one decides, or the configuration.
CREATE TABLE sending (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER UNIQUE REFERENCES account (id) ON DELETE CASCADE,
  domain_id INTEGER UNIQUE REFERENCES domain (id) ON DELETE CASCADE,
  alias_id INTEGER UNIQUE REFERENCES alias (id) ON DELETE CASCADE,
  as_domain INTEGER CHECK (as_domain IN (0, 1)),        -- may send as every address of its domain
  copy INTEGER CHECK (copy IN (0, 1)),                  -- what it sends is put into Sent
  messages INTEGER CHECK (messages >= -1),              -- a day; -1: no limit
  recipients INTEGER CHECK (recipients >= -1),
  CHECK ((account_id IS NOT NULL) + (domain_id IS NOT NULL) + (alias_id IS NOT NULL) = 1)
) STRICT;

CREATE TABLE sent (
  kind INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 2),   -- account, domain, alias: proto/directory.proto, LeaseScope
  of INTEGER NOT NULL,                                  -- its id, which is never used again
  day INTEGER NOT NULL,                                 -- since 1970, UTC
  messages INTEGER NOT NULL CHECK (messages >= 0),
  recipients INTEGER NOT NULL CHECK (recipients >= 0),
  PRIMARY KEY (kind, of)
) STRICT, WITHOUT ROWID;
CREATE INDEX sent_day ON sent (day);
