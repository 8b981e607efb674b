-- Emails of before that lack what is made of mail when it comes: what SORT and THREAD need, and the beginning of
-- the text. They get it behind the deliveries, one after the other.
CREATE TABLE lacking (
  email_id INTEGER PRIMARY KEY REFERENCES email (id) ON DELETE CASCADE
) STRICT;
INSERT INTO lacking
  SELECT e.id FROM email e
  LEFT JOIN email_sort s ON s.email_id = e.id
  LEFT JOIN email_top t ON t.email_id = e.id
  LEFT JOIN email_head h ON h.email_id = e.id
  WHERE s.email_id IS NULL OR coalesce(t.preview, h.preview) IS NULL;
