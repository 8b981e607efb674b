-- What the person thinks is junk: learnt from what is moved to Junk and back, or marked so. Nothing of it is known
-- outside this file.
CREATE TABLE junk_model (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  key     BLOB NOT NULL CHECK (length(key) = 16),            -- words and senders are hashed under it
  junk    INTEGER NOT NULL CHECK (junk >= 0),                -- letters learnt
  ham     INTEGER NOT NULL CHECK (ham >= 0),
  tokens  INTEGER NOT NULL CHECK (tokens >= 0),              -- rows of junk_token
  senders INTEGER NOT NULL CHECK (senders >= 0)              -- rows of junk_sender
) STRICT;
INSERT INTO junk_model VALUES (1, randomblob(16), 0, 0, 0, 0);

-- How many letters of each kind had it.
CREATE TABLE junk_token (
  token INTEGER PRIMARY KEY,
  junk  INTEGER NOT NULL CHECK (junk >= 0),
  ham   INTEGER NOT NULL CHECK (ham >= 0)
) STRICT;

CREATE TABLE junk_sender (
  sender  INTEGER PRIMARY KEY,
  written INTEGER NOT NULL CHECK (written IN (0, 1)),        -- the person wrote to this address
  junk    INTEGER NOT NULL CHECK (junk >= 0),
  ham     INTEGER NOT NULL CHECK (ham >= 0)
) STRICT;

-- Letters that were learnt, and as what: none counts twice, whichever way it comes back.
CREATE TABLE junk_learnt (
  id    INTEGER PRIMARY KEY,
  hash  BLOB NOT NULL UNIQUE CHECK (length(hash) = 16),
  class INTEGER NOT NULL CHECK (class IN (1, 2))             -- 1 junk, 2 ham
) STRICT;

-- To be learnt; written with what teaches it. wish: src/store/junk.h.
CREATE TABLE junk_queue (
  email_id INTEGER PRIMARY KEY REFERENCES email (id) ON DELETE CASCADE,
  wish     INTEGER NOT NULL CHECK (wish BETWEEN 1 AND 6)
) STRICT;

-- What was thought of it when it came.
CREATE TABLE email_junk (
  email_id INTEGER PRIMARY KEY REFERENCES email (id) ON DELETE CASCADE,
  score    INTEGER NOT NULL CHECK (score BETWEEN 0 AND 1000000000), -- billionths: 0 ham, all of them junk
  placed   INTEGER NOT NULL CHECK (placed IN (0, 1, 2))      -- 1 to Junk for it, 2 kept in INBOX for it
) STRICT;
