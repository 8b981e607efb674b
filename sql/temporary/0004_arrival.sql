-- What is sealed begins with more than the date of arrival: folder, flags and keywords (src/store/arrival.h, doc/formats.md).
-- No table shows it. The number keeps programs away that would take it for a part of the message.
SELECT 1;
