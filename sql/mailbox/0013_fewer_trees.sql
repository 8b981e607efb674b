-- Three b-trees less in every message's commit.

-- What waits for the text index are the emails behind this one; unindexed has what is an exception: what is too long
-- for the index, and what waited or got an id of before.
ALTER TABLE meta ADD COLUMN indexed_upto INTEGER NOT NULL DEFAULT 0 CHECK (indexed_upto >= 0);
UPDATE meta SET indexed_upto = (SELECT coalesce(max(id), 0) FROM email);

-- As in email_sort, where mail of before has them; NULL: look there.
ALTER TABLE email ADD COLUMN subject TEXT;
ALTER TABLE email ADD COLUMN reply INTEGER;
ALTER TABLE email ADD COLUMN from_box TEXT;
ALTER TABLE email ADD COLUMN to_box TEXT;
ALTER TABLE email ADD COLUMN cc_box TEXT;
ALTER TABLE email ADD COLUMN from_display TEXT;
ALTER TABLE email ADD COLUMN to_display TEXT;
ALTER TABLE email ADD COLUMN refs BLOB;

-- Text for SEARCH stands beside the letter: from the 32768th row of an email on, as in email_words, where mail of
-- before has it. NULL: raw bytes.
ALTER TABLE email_raw ADD COLUMN part INTEGER;
ALTER TABLE email_raw ADD COLUMN like_bytes INTEGER;
