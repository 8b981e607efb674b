# RFC 5819 2, RFC 8438 3: STATUS behind each LIST of a mailbox that can be selected     messages 2, state auth
C: a CREATE p/q                        S: a OK
C: b DELETE p                          S: b OK
C: c SUBSCRIBE lost                    S: c OK
C: d LIST "" (INBOX p p/q) RETURN (STATUS (MESSAGES UNSEEN SIZE))
S: * LIST (\HasNoChildren) "/" INBOX | * STATUS INBOX (MESSAGES 2 UNSEEN 2 SIZE $n)
S: * LIST (\NonExistent \HasChildren) "/" p
S: * LIST (\HasNoChildren) "/" p/q | * STATUS p/q (MESSAGES 0 UNSEEN 0 SIZE 0) | d OK
C: e LIST (SUBSCRIBED) "" lost RETURN (STATUS (MESSAGES))
S: * LIST (\NonExistent \HasNoChildren \Subscribed) "/" lost | e OK
C: f LIST (SUBSCRIBED RECURSIVEMATCH) "" p RETURN (STATUS (MESSAGES))    S: f OK
C: g SUBSCRIBE p/q                     S: g OK
C: h LIST (SUBSCRIBED RECURSIVEMATCH) "" p RETURN (STATUS (MESSAGES))
S: * LIST (\NonExistent \HasChildren) "/" p ("CHILDINFO" ("SUBSCRIBED")) | h OK
C: i LIST "" % RETURN (STATUS)         S: i BAD
