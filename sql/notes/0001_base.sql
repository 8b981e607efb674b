-- What stood in a file when we last looked, noted outside of it: an older one that comes back is seen.

-- generation 0: the mailbox; seq is its meta.changes. Else a temporary mailbox of that generation; seq and
-- link are the head of its chain.
CREATE TABLE note (
  mailbox_id BLOB NOT NULL CHECK (length(mailbox_id) = 12),
  generation INTEGER NOT NULL CHECK (generation >= 0),
  seq        INTEGER NOT NULL CHECK (seq >= 0),
  link       BLOB NOT NULL CHECK (length(link) = 32),
  PRIMARY KEY (mailbox_id, generation)
) STRICT, WITHOUT ROWID;
