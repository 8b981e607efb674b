-- Every index is a page more that a message's commit writes and syncs. What was noted of requests and deliveries is
-- looked through a slice at a time instead (MAILBOX_OPERATION_MS); of those that wait for the text index there are
-- few that are too long for it, so the table itself says which is next.
DROP INDEX operation_at;
DROP INDEX delivery_at;
DROP INDEX unindexed_waiting;
