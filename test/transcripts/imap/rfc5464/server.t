# RFC 5464 3.2.1.1, 3.3: the server's annotations; what others would see cannot be changed      clients 2, state auth
C: a SETMETADATA "" (/private/vendor/x/color "red")    S: a OK
C2: a GETMETADATA "" /private/vendor/x/color    S2: * METADATA "" (/private/vendor/x/color "red") | a OK
C: b SETMETADATA "" (/shared/admin "mailto:me@example.net")    S: b NO [NOPERM]
C: c SETMETADATA "" (/shared/comment "mine")    S: c NO [NOPERM]
C: d GETMETADATA "" (/shared/comment /shared/admin)    S: * METADATA "" (/shared/comment NIL /shared/admin NIL) | d OK
