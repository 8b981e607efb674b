-- In which language reports are written to who sends (RFC 5646). NULL: not said here.
ALTER TABLE sending ADD COLUMN language TEXT CHECK (length(CAST(language AS BLOB)) BETWEEN 1 AND 35);
