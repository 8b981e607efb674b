# RFC 9051 6.3.9: % stops at the separator, * does not; the reference is a prefix                                   state auth
C: a CREATE p/one/deep                 S: a OK
C: b CREATE p/two                      S: b OK
C: c CREATE pq                         S: c OK
C: d LIST "" p%
S: * LIST (\HasChildren) "/" p | * LIST (\HasNoChildren) "/" pq | d OK
C: e LIST "" p/%
S: * LIST (\HasChildren) "/" p/one | * LIST (\HasNoChildren) "/" p/two | e OK
C: f LIST "" p*
S: * LIST (\HasChildren) "/" p | * LIST (\HasChildren) "/" p/one | * LIST (\HasNoChildren) "/" p/one/deep | * LIST (\HasNoChildren) "/" p/two | * LIST (\HasNoChildren) "/" pq | f OK
C: g LIST p/ %
S: * LIST (\HasChildren) "/" p/one | * LIST (\HasNoChildren) "/" p/two | g OK
C: h LIST p/ *                         S: … | * LIST (\HasNoChildren) "/" p/two | h OK
C: i LIST "" %/%
S: * LIST (\HasChildren) "/" p/one | * LIST (\HasNoChildren) "/" p/two | i OK
C: j LIST "" *deep                     S: * LIST (\HasNoChildren) "/" p/one/deep | j OK
C: k LIST "" P%                        S: k OK
C: m LIST "" iNb%                      S: * LIST (\HasNoChildren) "/" INBOX | m OK
C: n STATUS p (MESSAGES)               S: * STATUS p (MESSAGES 0) | n OK
