-- SEARCH finds its candidates here: the trigrams of an email's text as it stands in email_text, that is
-- already folded, so the tokenizer must not fold again. rowid = email.id. It only says in which emails
-- a trigram is (detail=none); email_text decides.
CREATE VIRTUAL TABLE search_index USING fts5(
  head, body, content='', contentless_delete=1, detail=none, tokenize='trigram case_sensitive 1'
);
-- A leaf of 4000 bytes fits a page of 4096 whose last 32 bytes are the cipher's.
INSERT INTO search_index (search_index, rank) VALUES ('pgsz', 4000);
-- The index term by term: what begins with one or two letters.
CREATE VIRTUAL TABLE search_term USING fts5vocab(search_index, instance);

-- Emails whose text is not in search_index: those that wait for it (state 0; written in the transaction
-- that stores the email), and those too long for it (state 1), whose text is always looked at.
CREATE TABLE unindexed (
  email_id INTEGER PRIMARY KEY REFERENCES email (id) ON DELETE CASCADE,
  state    INTEGER NOT NULL CHECK (state IN (0, 1))
) STRICT;
CREATE INDEX unindexed_waiting ON unindexed (email_id) WHERE state = 0;
INSERT INTO unindexed SELECT id, 0 FROM email;

-- The beginning of the first text part, as people read it (RFC 8970); NULL: nobody looked.
ALTER TABLE email_head ADD COLUMN preview TEXT CHECK (length(preview) <= 256);
