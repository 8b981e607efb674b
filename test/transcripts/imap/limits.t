# RFC 5530 3: what is more than the server takes is NO or BAD, never a hang-up, and costs nothing after              mail s1
C: a UID FETCH 1\{,1*5000} UID         S: a NO [LIMIT]
C: b UID FETCH 1\{,1*4000} UID         S: * 1 FETCH (UID 1) | b OK
C: c SEARCH \{(*100}ALL\{)*100}        S: c NO [LIMIT]
C: d SEARCH \{ALL *5000}ALL            S: d …
C: e STORE 1 +FLAGS (\{k\#x*1}a b c)   S: … | e OK
C: f FETCH 1 BODY.PEEK[HEADER.FIELDS (\{Subject *60}Subject)]   S: … | f …
C: g FETCH 1 BODY.PEEK[1\{.1*200}]     S: g NO [LIMIT]
C: h FETCH 1 (\{UID *200}UID)          S: * 1 FETCH (UID 1) | h OK
C: i SEARCH SUBJECT "\{x*60000}"       S: i …
C: j NOOP                              S: j OK
