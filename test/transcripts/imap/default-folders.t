# RFC 6154 2: the folders of a new mailbox and their uses                                                           state auth
C: a LIST "" *
S: * LIST (\HasNoChildren) "/" INBOX
S: * LIST (\HasNoChildren \Archive) "/" Archive
S: * LIST (\HasNoChildren \Drafts) "/" Drafts
S: * LIST (\HasNoChildren \Junk) "/" Junk
S: * LIST (\HasNoChildren \Sent) "/" Sent
S: * LIST (\HasNoChildren \Trash) "/" Trash
S: a OK
C: b LIST (SPECIAL-USE) "" *
S: * LIST (\HasNoChildren \Archive) "/" Archive
S: * LIST (\HasNoChildren \Drafts) "/" Drafts
S: * LIST (\HasNoChildren \Junk) "/" Junk
S: * LIST (\HasNoChildren \Sent) "/" Sent
S: * LIST (\HasNoChildren \Trash) "/" Trash
S: b OK
C: c LIST "" % RETURN (SPECIAL-USE)    S: … | * LIST (\HasNoChildren \Trash) "/" Trash | c OK
C: d LIST "" inbox                     S: * LIST (\HasNoChildren) "/" INBOX | d OK
C: e LIST "" ""                        S: * LIST (\Noselect) "/" "" | e OK
C: f LIST "" nothing                   S: f OK
C: g LIST ""                           S: g BAD
C: h LIST "" * RETURN (XYZZY)          S: h BAD
