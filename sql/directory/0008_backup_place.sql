-- Where backups of a domain's mailboxes go: a name in storage.places; NULL: where all others go.
ALTER TABLE domain ADD COLUMN backup_place TEXT CHECK (length(backup_place) BETWEEN 1 AND 24);
