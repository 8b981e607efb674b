# RFC 5464 4.2.1, 4.2.2: MAXSIZE leaves out and tells the longest; DEPTH reaches below      state auth
C: a SETMETADATA INBOX (/private/f "0" /private/f/v/small "SMALLER 5000" /private/f/v/boss "FROM \\"boss\\"" /private/fg "x")    S: a OK
C: b GETMETADATA INBOX (DEPTH 1) (/private/f/v)
S: * METADATA INBOX (/private/f/v/boss "FROM \"boss\"" /private/f/v/small "SMALLER 5000") | b OK
C: c GETMETADATA INBOX (DEPTH 1) /private/f     S: * METADATA INBOX (/private/f "0") | c OK
C: d GETMETADATA (DEPTH infinity) INBOX /private/f
S: * METADATA INBOX (/private/f "0" /private/f/v/boss "FROM \"boss\"" /private/f/v/small "SMALLER 5000") | d OK
C: e GETMETADATA INBOX (MAXSIZE 11 DEPTH infinity) /private/f
S: * METADATA INBOX (/private/f "0" /private/f/v/boss "FROM \"boss\"") | e OK [METADATA LONGENTRIES 12]
C: f GETMETADATA INBOX (MAXSIZE 0) (/private/f /private/fg)   S: f OK [METADATA LONGENTRIES 1]
C: g GETMETADATA INBOX (DEPTH 0) /private/f     S: * METADATA INBOX (/private/f "0") | g OK
