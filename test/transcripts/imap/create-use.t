# RFC 6154 3: CREATE with a special use                                                             state auth
C: a CREATE Old (USE (\Archive))       S: a OK
C: i LIST (SPECIAL-USE) "" Old         S: * LIST (\HasNoChildren \Archive) "/" Old | i OK
C: b CREATE Odd (USE (\Marked))        S: b NO [USEATTR]
C: c CREATE Odd (USE (\XYZZY))         S: c NO [USEATTR]
C: d CREATE Plain (USE ())             S: d OK
C: e CREATE Bad (USE \Sent)            S: e BAD
C: f DELETE Junk                       S: f OK
C: g CREATE Spam (USE (\Junk))         S: g OK
C: h LIST "" Spam                      S: * LIST (\HasNoChildren \Junk) "/" Spam | h OK
