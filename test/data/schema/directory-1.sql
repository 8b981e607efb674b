PRAGMA application_id=1280074866;
PRAGMA user_version=1;
CREATE TABLE domain (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 253 AND name = lower(name)),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z')
) STRICT;
INSERT INTO "domain" VALUES (1, 'example.test', '2026-08-17T20:53:20.000Z');
INSERT INTO "domain" VALUES (2, 'empty.test', '2026-08-17T20:53:20.000Z');
CREATE TABLE alias (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  domain_id INTEGER NOT NULL REFERENCES domain (id) ON DELETE RESTRICT,
  local TEXT NOT NULL CHECK (length(CAST(local AS BLOB)) BETWEEN 1 AND 64 AND local = lower(local)),
  address TEXT NOT NULL CHECK (length(address) BETWEEN 3 AND 320),
  mailbox_id BLOB UNIQUE CHECK (mailbox_id IS NULL OR length(mailbox_id) = 12),
  created TEXT NOT NULL CHECK (created GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9].[0-9][0-9][0-9]Z'),
  UNIQUE (domain_id, local)
) STRICT;
INSERT INTO "alias" VALUES (1, 1, 'ann', 'Ann@example.test', x'010203040000000000000000', '2026-08-17T20:53:20.000Z');
INSERT INTO "alias" VALUES (2, 1, 'none', 'none@example.test', NULL, '2026-08-17T20:53:20.000Z');
CREATE TABLE key_state (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  alias_id INTEGER NOT NULL REFERENCES alias (id) ON DELETE CASCADE,
  state BLOB NOT NULL CHECK (length(state) BETWEEN 16 AND 256),
  UNIQUE (alias_id, state)
) STRICT;
INSERT INTO "key_state" VALUES (1, 1, x'61207374617465206f66207369787465656e20627974657320616e64206d6f7265');
INSERT INTO "key_state" VALUES (2, 1, x'616e6f74686572207374617465206f6620736f6d65206c656e677468');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES ('domain', 2);
INSERT INTO "sqlite_sequence" VALUES ('alias', 2);
INSERT INTO "sqlite_sequence" VALUES ('key_state', 2);
