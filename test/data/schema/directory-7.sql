PRAGMA application_id=1280074866;
PRAGMA user_version=7;
CREATE TABLE domain (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 253 AND name = lower(name)),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z')
, account_id INTEGER REFERENCES account (id), limit_bytes INTEGER CHECK (limit_bytes >= 0), leased INTEGER NOT NULL DEFAULT 0, used INTEGER NOT NULL DEFAULT 0, alias_of INTEGER REFERENCES domain (id) ON DELETE RESTRICT, catch_all INTEGER REFERENCES alias (id) ON DELETE SET NULL, separators TEXT NOT NULL DEFAULT '+' CHECK (length(separators) <= 8)) STRICT;
INSERT INTO "domain" VALUES (1, 'example.test', '2026-08-17T20:53:20.000Z', NULL, NULL, 0, 0, NULL, NULL, '+');
INSERT INTO "domain" VALUES (2, 'empty.test', '2026-08-17T20:53:20.000Z', NULL, NULL, 0, 0, NULL, NULL, '+');
CREATE TABLE alias (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER NOT NULL REFERENCES domain (id) ON DELETE RESTRICT,
  local TEXT NOT NULL CHECK (length(CAST(local AS BLOB)) BETWEEN 1 AND 64 AND local = lower(local)),
  address TEXT NOT NULL CHECK (length(address) BETWEEN 3 AND 320),
  mailbox_id BLOB UNIQUE CHECK (mailbox_id IS NULL OR length(mailbox_id) = 12),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'), account_id INTEGER REFERENCES account (id), limit_bytes INTEGER CHECK (limit_bytes >= 0), leased INTEGER NOT NULL DEFAULT 0, used INTEGER NOT NULL DEFAULT 0, answer INTEGER CHECK (answer IN (250, 421, 550)), to_mailbox INTEGER NOT NULL DEFAULT 1 CHECK (to_mailbox IN (0, 1)),
  UNIQUE (domain_id, local)
) STRICT;
INSERT INTO "alias" VALUES (1, 1, 'ann', 'Ann@example.test', x'010203040000000000000000', '2026-08-17T20:53:20.000Z', NULL, NULL, 0, 0, NULL, 1);
INSERT INTO "alias" VALUES (2, 1, 'none', 'none@example.test', NULL, '2026-08-17T20:53:20.000Z', NULL, NULL, 0, 0, NULL, 1);
CREATE TABLE key_state (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alias_id INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,
  state BLOB NOT NULL CHECK (length(state) BETWEEN 16 AND 256),
  UNIQUE (alias_id, state)
) STRICT;
INSERT INTO "key_state" VALUES (1, 1, x'61207374617465206f66207369787465656e20627974657320616e64206d6f7265');
INSERT INTO "key_state" VALUES (2, 1, x'616e6f74686572207374617465206f6620736f6d65206c656e677468');
CREATE TABLE account (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
  limit_bytes INTEGER CHECK (limit_bytes >= 0),           -- NULL: no limit
  leased INTEGER NOT NULL DEFAULT 0,
  used INTEGER NOT NULL DEFAULT 0,
  messages INTEGER NOT NULL DEFAULT 0,
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z')
) STRICT;
INSERT INTO "account" VALUES (1, 'default', NULL, 0, 0, 0, '2026-11-22T13:13:01.607Z');
CREATE TABLE lease (
  mailbox_id BLOB NOT NULL CHECK (length(mailbox_id) = 12),
  generation INTEGER NOT NULL CHECK (generation >= 0),
  alias_id INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,
  domain_id INTEGER NOT NULL,
  account_id INTEGER NOT NULL,
  leased INTEGER NOT NULL CHECK (leased >= used),
  used INTEGER NOT NULL CHECK (used >= 0),                 -- as last reported
  messages INTEGER NOT NULL CHECK (messages >= 0),
  PRIMARY KEY (mailbox_id, generation)
) STRICT, WITHOUT ROWID;
CREATE TABLE target (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alias_id INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,
  kind INTEGER NOT NULL CHECK (kind IN (1, 2)),                       -- an address, a webhook
  target TEXT NOT NULL CHECK (length(target) BETWEEN 3 AND 2048),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  UNIQUE (alias_id, kind, target)
) STRICT;
CREATE TABLE pattern (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER NOT NULL REFERENCES domain (id) ON DELETE CASCADE,
  position INTEGER NOT NULL CHECK (position BETWEEN 1 AND 1000000),
  pattern TEXT NOT NULL CHECK (length(CAST(pattern AS BLOB)) BETWEEN 1 AND 256),
  target TEXT NOT NULL CHECK (length(target) BETWEEN 3 AND 512),      -- an address with \1 … \9
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  UNIQUE (domain_id, position)
) STRICT;
CREATE TABLE access (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER REFERENCES domain (id) ON DELETE CASCADE,
  alias_id INTEGER REFERENCES alias (id) ON DELETE CASCADE,
  who TEXT NOT NULL CHECK (length(who) BETWEEN 1 AND 400),            -- a@b, b, 192.0.2.0/24, <>, *
  allow INTEGER NOT NULL CHECK (allow IN (0, 1)),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  CHECK ((domain_id IS NULL) <> (alias_id IS NULL))
) STRICT;
CREATE TABLE sending (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  account_id INTEGER UNIQUE REFERENCES account (id) ON DELETE CASCADE,
  domain_id INTEGER UNIQUE REFERENCES domain (id) ON DELETE CASCADE,
  alias_id INTEGER UNIQUE REFERENCES alias (id) ON DELETE CASCADE,
  as_domain INTEGER CHECK (as_domain IN (0, 1)),        -- may send as every address of its domain
  copy INTEGER CHECK (copy IN (0, 1)),                  -- what it sends is put into Sent
  messages INTEGER CHECK (messages >= -1),              -- a day; -1: no limit
  recipients INTEGER CHECK (recipients >= -1), language TEXT CHECK (length(CAST(language AS BLOB)) BETWEEN 1 AND 35),
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
CREATE TABLE spam_points (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER REFERENCES domain (id) ON DELETE CASCADE,
  alias_id INTEGER REFERENCES alias (id) ON DELETE CASCADE,
  header INTEGER CHECK (header BETWEEN 1 AND 1000000),
  junk INTEGER CHECK (junk BETWEEN 1 AND 1000000),
  reject INTEGER CHECK (reject BETWEEN 1 AND 1000000),
  CHECK ((domain_id IS NULL) <> (alias_id IS NULL))
) STRICT;
CREATE TABLE vacation (
  alias_id INTEGER PRIMARY KEY REFERENCES alias (id) ON DELETE CASCADE,
  subject TEXT NOT NULL CHECK (length(CAST(subject AS BLOB)) <= 500),   -- empty: "Auto:" and that of the message
  body TEXT NOT NULL CHECK (length(CAST(body AS BLOB)) BETWEEN 1 AND 8192),
  begins INTEGER NOT NULL,
  ends INTEGER NOT NULL,
  made INTEGER NOT NULL                                                 -- who was answered before may be again
) STRICT;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES ('account', 1);
INSERT INTO "sqlite_sequence" VALUES ('domain', 2);
INSERT INTO "sqlite_sequence" VALUES ('alias', 2);
INSERT INTO "sqlite_sequence" VALUES ('key_state', 2);
CREATE UNIQUE INDEX access_alias ON access (alias_id, who, allow) WHERE alias_id IS NOT NULL;
CREATE UNIQUE INDEX access_domain ON access (domain_id, who, allow) WHERE domain_id IS NOT NULL;
CREATE INDEX alias_account ON alias (account_id);
CREATE TRIGGER alias_account_changed AFTER UPDATE OF account_id ON alias BEGIN
  UPDATE lease SET account_id = coalesce(NEW.account_id, (SELECT account_id FROM domain WHERE id = NEW.domain_id), 1)
    WHERE alias_id = NEW.id;
END;
CREATE TRIGGER alias_mailbox_changed AFTER UPDATE OF mailbox_id ON alias BEGIN
  DELETE FROM lease WHERE alias_id = NEW.id AND mailbox_id IS NOT NEW.mailbox_id;
END;
CREATE INDEX domain_account ON domain (account_id);
CREATE TRIGGER domain_account_changed AFTER UPDATE OF account_id ON domain BEGIN
  UPDATE lease SET account_id = coalesce(NEW.account_id, 1)
    WHERE alias_id IN (SELECT id FROM alias WHERE domain_id = NEW.id AND account_id IS NULL);
END;
CREATE INDEX domain_alias_of ON domain (alias_of);
CREATE INDEX domain_catch_all ON domain (catch_all);
CREATE INDEX lease_account_room ON lease (account_id, leased - used);
CREATE TRIGGER lease_added AFTER INSERT ON lease BEGIN
  UPDATE account SET leased = leased + NEW.leased, used = used + NEW.used, messages = messages + NEW.messages
    WHERE id = NEW.account_id;
  UPDATE domain SET leased = leased + NEW.leased, used = used + NEW.used WHERE id = NEW.domain_id;
  UPDATE alias SET leased = leased + NEW.leased, used = used + NEW.used WHERE id = NEW.alias_id;
END;
CREATE INDEX lease_alias ON lease (alias_id);
CREATE TRIGGER lease_changed AFTER UPDATE OF leased, used, messages, account_id ON lease BEGIN
  UPDATE account SET leased = leased - OLD.leased, used = used - OLD.used, messages = messages - OLD.messages
    WHERE id = OLD.account_id;
  UPDATE account SET leased = leased + NEW.leased, used = used + NEW.used, messages = messages + NEW.messages
    WHERE id = NEW.account_id;
  UPDATE domain SET leased = leased + NEW.leased - OLD.leased, used = used + NEW.used - OLD.used
    WHERE id = NEW.domain_id;
  UPDATE alias SET leased = leased + NEW.leased - OLD.leased, used = used + NEW.used - OLD.used
    WHERE id = NEW.alias_id;
END;
CREATE TRIGGER lease_gone AFTER DELETE ON lease BEGIN
  UPDATE account SET leased = leased - OLD.leased, used = used - OLD.used, messages = messages - OLD.messages
    WHERE id = OLD.account_id;
  UPDATE domain SET leased = leased - OLD.leased, used = used - OLD.used WHERE id = OLD.domain_id;
  UPDATE alias SET leased = leased - OLD.leased, used = used - OLD.used WHERE id = OLD.alias_id;
END;
CREATE INDEX sent_day ON sent (day);
CREATE UNIQUE INDEX spam_points_alias ON spam_points (alias_id) WHERE alias_id IS NOT NULL;
CREATE UNIQUE INDEX spam_points_domain ON spam_points (domain_id) WHERE domain_id IS NOT NULL;
