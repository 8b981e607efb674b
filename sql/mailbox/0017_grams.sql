-- Which runs of five letters an indexed email's text has (src/store/grams.h): what the trigrams leave possible is asked
-- here before its text is read. An email without a row may have any.
CREATE TABLE email_grams (
  email_id INTEGER PRIMARY KEY,
  bits     BLOB NOT NULL CHECK (length(bits) BETWEEN 16 AND 2048)
) STRICT;
