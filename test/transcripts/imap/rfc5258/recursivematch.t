# RFC 5258 3.5, 5 (examples 8, 9): RECURSIVEMATCH and CHILDINFO                     state auth
C: a1 CREATE foo2/bar1                 S: a1 OK
C: a2 CREATE foo2/bar2                 S: a2 OK
C: a3 CREATE baz2/bar2                 S: a3 OK
C: a4 CREATE baz2/bar22                S: a4 OK
C: a5 CREATE eps2/mamba                S: a5 OK
C: b1 SUBSCRIBE foo2/bar1              S: b1 OK
C: b2 SUBSCRIBE foo2/bar2              S: b2 OK
C: b3 SUBSCRIBE baz2/bar2              S: b3 OK
C: b4 SUBSCRIBE baz2/bar22             S: b4 OK
C: b5 SUBSCRIBE eps2                   S: b5 OK
C: b6 SUBSCRIBE eps2/mamba             S: b6 OK
C: b7 SUBSCRIBE gone/deep/bar          S: b7 OK
C: c LIST (RECURSIVEMATCH SUBSCRIBED) "" *2
S: * LIST (\HasNoChildren \Subscribed) "/" baz2/bar2 | * LIST (\HasNoChildren \Subscribed) "/" baz2/bar22
S: * LIST (\HasChildren \Subscribed) "/" eps2 ("CHILDINFO" ("SUBSCRIBED")) | * LIST (\HasChildren) "/" foo2 ("CHILDINFO" ("SUBSCRIBED"))
S: * LIST (\HasNoChildren \Subscribed) "/" foo2/bar2 | c OK
C: d LIST (SUBSCRIBED RECURSIVEMATCH) "" g%
S: * LIST (\NonExistent \HasNoChildren) "/" gone ("CHILDINFO" ("SUBSCRIBED")) | d OK
C: e LIST (RECURSIVEMATCH) "" %        S: e BAD
C: f LIST (REMOTE RECURSIVEMATCH) "" %   S: f BAD
C: g LIST (UNKNOWN) "" %               S: g BAD
C: h LIST "" % RETURN (UNKNOWN)        S: h BAD
