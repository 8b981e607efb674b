# RFC 3501 6.3.6, 6.3.9: subscriptions are names; LSUB with % tells of parents                                               state auth
C: a LSUB "" *                         S: … | a OK
C: b SUBSCRIBE not/there               S: b OK
C: c LSUB "" not*                      S: * LSUB (\Noselect) "/" not/there | c OK
C: d LSUB "" %                         S: … | * LSUB (\Noselect) "/" not | d OK
C: e UNSUBSCRIBE not/there             S: e OK
C: f LSUB "" not*                      S: f OK
C: g CREATE here                       S: g OK
C: h SUBSCRIBE here                    S: h OK
C: i LSUB "" here                      S: * LSUB () "/" here | i OK
C: j DELETE here                       S: j OK
C: k LSUB "" here                      S: * LSUB (\Noselect) "/" here | k OK
C: l UNSUBSCRIBE here                  S: l OK
C: m UNSUBSCRIBE here                  S: m …
C: n SUBSCRIBE                         S: n BAD
