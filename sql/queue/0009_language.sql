-- In which language who sent it is told what became of it; empty: what its header says, or English.
ALTER TABLE message ADD COLUMN language BLOB NOT NULL DEFAULT x'' CHECK (length(language) <= 35);
