# RFC 9051 6.3.4, 6.3.5: CREATE makes parents, DELETE leaves children; INBOX and strangers                           state auth
C: a CREATE x                          S: a OK
C: b CREATE x                          S: b NO [ALREADYEXISTS]
C: c CREATE INBOX                      S: c NO [ALREADYEXISTS]
C: d CREATE iNBoX                      S: d NO [ALREADYEXISTS]
C: e CREATE y/                         S: e OK
C: f LIST "" y                         S: * LIST (\HasNoChildren) "/" y | f OK
C: g CREATE ""                         S: g NO
C: h CREATE /z                         S: h NO
C: i CREATE a//b                       S: i NO
C: j CREATE x/y/z                      S: j OK
C: k DELETE x                          S: k OK
C: l LIST "" x%                        S: * LIST (\Noselect \HasChildren) "/" x | l OK
C: m LIST "" x*                        S: … | * LIST (\HasNoChildren) "/" x/y/z | m OK
C: n DELETE x                          S: n NO
C: o DELETE x/y/z                      S: o OK
C: p LIST "" x*                        S: * LIST (\Noselect \HasChildren) "/" x | * LIST (\HasNoChildren) "/" x/y | p OK
C: x DELETE x/y                        S: x OK
C: y LIST "" x*                        S: y OK
C: q DELETE INBOX                      S: q NO [CANNOT]
C: r DELETE nothing                    S: r NO [NONEXISTENT]
C: s CREATE a%b                        S: s BAD
C: t CREATE "a*b"                      S: t NO
C: u CREATE inbox/child                S: u OK
C: v LIST "" INBOX*                    S: * LIST (\HasChildren) "/" INBOX | * LIST (\HasNoChildren) "/" INBOX/child | v OK
C: w DELETE x y                        S: w BAD
