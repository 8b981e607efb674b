-- What was removed and is large: rows of an email, or of a part, that is not there any more. They go behind the commit
-- that removed it, a slice at a time, since what is deleted is overwritten and all of it at once would not fit a -wal.
-- Until then no email and no part gets the id.
CREATE TABLE dropping (
  part INTEGER NOT NULL CHECK (part IN (0, 1)),              -- 0 email_raw and the like, 1 part_row
  id   INTEGER NOT NULL,
  PRIMARY KEY (part, id)
) STRICT, WITHOUT ROWID;
