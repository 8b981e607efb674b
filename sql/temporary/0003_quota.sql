-- What waits counts against limits like what is in the mailbox: see sql/mailbox/0006_quota.sql. What is used is
-- summed when the file is opened and kept in memory: a delivery writes no page for it.
ALTER TABLE meta ADD COLUMN quota_leased INTEGER NOT NULL DEFAULT 0;
ALTER TABLE meta ADD COLUMN quota_step INTEGER NOT NULL DEFAULT 0;

-- What goes from here into the mailbox takes its part of the lease along (src/store/quota.h).
CREATE TRIGGER quota_record_gone AFTER DELETE ON record WHEN (SELECT quota_leased FROM meta) > 0 BEGIN
  UPDATE meta SET quota_leased = max(0, quota_leased - OLD.bytes);
END;
