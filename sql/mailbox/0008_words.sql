-- Text for SEARCH, kept as what differs from the message itself. id as in email_body; header lines first. An
-- email with no row here may be of before: its text is in email_text.
CREATE TABLE email_words (
  id         INTEGER PRIMARY KEY,
  part       INTEGER NOT NULL CHECK (part IN (0, 1)),        -- 0 header lines, 1 body text
  codec      INTEGER NOT NULL CHECK (codec >= 0),            -- 3 a block of LZ4, 4 zstd behind the bytes it is like
  bytes      INTEGER NOT NULL CHECK (bytes BETWEEN 1 AND 262144),
  like_bytes INTEGER NOT NULL CHECK (like_bytes BETWEEN 0 AND 262144), -- of the message, for part 1 from email.head_bytes on
  data       BLOB NOT NULL
) STRICT;
