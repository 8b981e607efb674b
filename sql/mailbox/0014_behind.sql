-- Emails by date and by thread, looked for now and then only: rows come with the text index, a batch at a time, instead
-- of with each message. What still waits for that (0013) is looked at itself.
DROP INDEX email_sent;
DROP INDEX email_thread;
CREATE TABLE email_by_date (
  sent     TEXT NOT NULL,
  email_id INTEGER NOT NULL,
  PRIMARY KEY (sent, email_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE email_by_thread (
  thread_id BLOB NOT NULL,
  email_id  INTEGER NOT NULL,
  PRIMARY KEY (thread_id, email_id)
) STRICT, WITHOUT ROWID;
INSERT INTO email_by_date SELECT sent, id FROM email WHERE sent IS NOT NULL ORDER BY 1, 2;
INSERT INTO email_by_thread SELECT thread_id, id FROM email ORDER BY 1, 2;
