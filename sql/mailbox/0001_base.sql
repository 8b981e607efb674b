-- One mailbox. The file is readable by whoever has its data key and by nobody else, so nothing in
-- here is hashed or hidden. Dates are text, "YYYY-MM-DDTHH:MM:SS.sssZ", UTC, fixed width: they sort.
-- An email is immutable; a message places it in a folder. COPY adds a message and no email.

-- The mailbox itself: one row.
CREATE TABLE meta (
  one             INTEGER PRIMARY KEY CHECK (one = 1),
  mailbox_id      BLOB NOT NULL CHECK (length(mailbox_id) = 12),
  generation      INTEGER NOT NULL CHECK (generation >= 0),  -- of the data key
  key_state       BLOB NOT NULL,                             -- what .keys and the directory say as well
  uidvalidity     INTEGER NOT NULL CHECK (uidvalidity BETWEEN 1 AND 4294967295), -- the last one given out
  changes         INTEGER NOT NULL CHECK (changes >= 0),     -- commits so far: tells whether a backup is needed
  created         TEXT NOT NULL CHECK (length(created) = 24)
) STRICT;

CREATE TABLE folder (
  id               INTEGER PRIMARY KEY AUTOINCREMENT,        -- never used twice: sessions hold it
  name             TEXT NOT NULL UNIQUE CHECK (length(name) > 0), -- UTF-8, '/' between levels
  object_id        BLOB NOT NULL UNIQUE CHECK (length(object_id) = 12), -- RFC 8474 MAILBOXID
  uidvalidity      INTEGER NOT NULL UNIQUE CHECK (uidvalidity BETWEEN 1 AND 4294967295),
  uidnext          INTEGER NOT NULL CHECK (uidnext BETWEEN 1 AND 4294967295),
  modseq           INTEGER NOT NULL CHECK (modseq >= 1),     -- of the last change
  first_recent_uid INTEGER NOT NULL CHECK (first_recent_uid BETWEEN 1 AND 4294967295),
  special_use      INTEGER NOT NULL CHECK (special_use BETWEEN 0 AND 8), -- proto/store.proto SpecialUse
  messages         INTEGER NOT NULL CHECK (messages >= 0),   -- counted in every transaction: exact
  bytes            INTEGER NOT NULL CHECK (bytes >= 0),
  vanished_floor   INTEGER NOT NULL CHECK (vanished_floor >= 0)  -- the log below knows all after this modseq
) STRICT;

-- A subscription outlives its folder (RFC 9051 6.3.7).
CREATE TABLE subscription (
  name TEXT PRIMARY KEY CHECK (length(name) > 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE email (
  id           INTEGER PRIMARY KEY,
  object_id    BLOB NOT NULL UNIQUE CHECK (length(object_id) = 12), -- RFC 8474 EMAILID; begins with the time, so it appends
  thread_id    BLOB NOT NULL CHECK (length(thread_id) = 12),        -- object_id of the thread's first email
  bytes        INTEGER NOT NULL CHECK (bytes >= 0),
  header_bytes INTEGER NOT NULL CHECK (header_bytes BETWEEN 0 AND bytes), -- with the empty line
  head_bytes   INTEGER NOT NULL CHECK (head_bytes BETWEEN 0 AND 262144),  -- how much stands in email_head; the rest in email_body
  sent         TEXT CHECK (length(sent) = 24),                      -- Date field
  sent_zone    INTEGER NOT NULL CHECK (sent_zone BETWEEN -1440 AND 1440), -- its zone, minutes east of UTC
  message_id   TEXT
) STRICT;
CREATE INDEX email_thread ON email (thread_id);
CREATE INDEX email_sent ON email (sent);

-- codec: 0 as it is, 1 zstd. bytes: what it decodes to.
CREATE TABLE email_head (
  email_id        INTEGER PRIMARY KEY REFERENCES email (id) ON DELETE CASCADE,
  structure_codec INTEGER NOT NULL CHECK (structure_codec IN (0, 1)),
  structure_bytes INTEGER NOT NULL CHECK (structure_bytes >= 0),
  structure       BLOB NOT NULL,                             -- proto/structure.proto
  head_codec      INTEGER NOT NULL CHECK (head_codec IN (0, 1)),
  head_bytes      INTEGER NOT NULL CHECK (head_bytes >= 0),
  head            BLOB NOT NULL
) STRICT;

-- id = email_id * 65536 + number of the row; every row but the last holds 256 KiB of input.
CREATE TABLE email_body (
  id    INTEGER PRIMARY KEY,
  codec INTEGER NOT NULL CHECK (codec IN (0, 1)),
  bytes INTEGER NOT NULL CHECK (bytes BETWEEN 1 AND 262144),
  data  BLOB NOT NULL
) STRICT;

-- What SEARCH looks at, folded. id as above; header lines first, then text of the bodies.
CREATE TABLE email_text (
  id    INTEGER PRIMARY KEY,
  part  INTEGER NOT NULL CHECK (part IN (0, 1)),             -- 0 header lines, 1 body text
  codec INTEGER NOT NULL CHECK (codec IN (0, 1)),
  bytes INTEGER NOT NULL CHECK (bytes BETWEEN 1 AND 262144),
  data  BLOB NOT NULL
) STRICT;

-- Message-IDs that an email has or names, hashed to 16 bytes, and the thread they belong to.
CREATE TABLE thread_ref (
  ref       BLOB PRIMARY KEY CHECK (length(ref) = 16),
  thread_id BLOB NOT NULL CHECK (length(thread_id) = 12)
) STRICT, WITHOUT ROWID;
CREATE INDEX thread_ref_thread ON thread_ref (thread_id);

CREATE TABLE message (
  folder_id INTEGER NOT NULL REFERENCES folder (id),
  uid       INTEGER NOT NULL CHECK (uid BETWEEN 1 AND 4294967295),
  email_id  INTEGER NOT NULL REFERENCES email (id),
  modseq    INTEGER NOT NULL CHECK (modseq >= 1),            -- of its last change
  added     INTEGER NOT NULL CHECK (added BETWEEN 1 AND modseq), -- modseq at which it came
  flags     INTEGER NOT NULL CHECK (flags BETWEEN 0 AND 31), -- proto/store.proto Flag
  bytes     INTEGER NOT NULL CHECK (bytes >= 0),             -- of its email: sizes are summed and searched
  internal  TEXT NOT NULL CHECK (length(internal) = 24),     -- INTERNALDATE
  saved     TEXT NOT NULL CHECK (length(saved) = 24),        -- SAVEDATE (RFC 8514)
  PRIMARY KEY (folder_id, uid)
) STRICT, WITHOUT ROWID;
CREATE INDEX message_modseq ON message (folder_id, modseq);
CREATE INDEX message_email ON message (email_id);
CREATE INDEX message_internal ON message (folder_id, internal);
CREATE INDEX message_unseen ON message (folder_id, uid) WHERE flags & 8 = 0;
CREATE INDEX message_deleted ON message (folder_id, uid) WHERE flags & 4 <> 0;
CREATE INDEX message_flagged ON message (folder_id, uid) WHERE flags & 2 <> 0;

CREATE TABLE keyword (
  id   INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK (length(name) BETWEEN 1 AND 255)
) STRICT;

CREATE TABLE message_keyword (
  folder_id  INTEGER NOT NULL,
  uid        INTEGER NOT NULL,
  keyword_id INTEGER NOT NULL REFERENCES keyword (id),
  PRIMARY KEY (folder_id, uid, keyword_id),
  FOREIGN KEY (folder_id, uid) REFERENCES message (folder_id, uid) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX message_keyword_name ON message_keyword (keyword_id, folder_id, uid);
CREATE INDEX message_keyword_folder ON message_keyword (folder_id, keyword_id);

-- The change log: UIDs that went, by the modseq at which they went. At most 10,000 rows a folder;
-- what is older is answered by comparing with what is there (folder.vanished_floor).
CREATE TABLE vanished (
  folder_id INTEGER NOT NULL REFERENCES folder (id) ON DELETE CASCADE,
  modseq    INTEGER NOT NULL CHECK (modseq >= 1),
  first_uid INTEGER NOT NULL CHECK (first_uid >= 1),
  last_uid  INTEGER NOT NULL CHECK (last_uid >= first_uid),
  PRIMARY KEY (folder_id, modseq, first_uid)
) STRICT, WITHOUT ROWID;

-- Exactly once: requests answered in the last hour, with their answers.
CREATE TABLE operation (
  id     BLOB PRIMARY KEY CHECK (length(id) = 16),
  op     INTEGER NOT NULL,
  at     TEXT NOT NULL CHECK (length(at) = 24),
  result BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX operation_at ON operation (at);

-- Exactly once, over SMTP: deliveries of the last 7 days.
CREATE TABLE delivery (
  id BLOB PRIMARY KEY CHECK (length(id) = 32),
  at TEXT NOT NULL CHECK (length(at) = 24)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_at ON delivery (at);

-- Exactly once, from temporary mailboxes: records up to this one are in here already.
CREATE TABLE drained (
  file_generation INTEGER PRIMARY KEY,
  seq             INTEGER NOT NULL CHECK (seq >= 0)
) STRICT;
