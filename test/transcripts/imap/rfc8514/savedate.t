# RFC 8514 4: when a message came into its mailbox                 mail plain
C: a FETCH 1 SAVEDATE                  S: * 1 FETCH (SAVEDATE …) | a OK
C: b COPY 1 Archive                    S: b OK
C: c SEARCH SAVEDATESUPPORTED          S: * SEARCH 1 | c OK
C: d SEARCH SAVEDSINCE 1-Jan-2020      S: * SEARCH 1 | d OK
C: e SEARCH SAVEDBEFORE 1-Jan-2020     S: * SEARCH | e OK
C: f SEARCH SAVEDON 1-Jan-2020         S: * SEARCH | f OK
C: g EXAMINE Archive                   S: … | g OK
C: h FETCH 1 SAVEDATE                  S: * 1 FETCH (SAVEDATE …) | h OK
