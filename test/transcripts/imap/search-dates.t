# RFC 9051 6.4.4: dates without regard to time and zone; SENT… by the Date field
C: a APPEND INBOX " 1-Feb-2003 23:59:59 +0000" {45+}\r\nDate: Fri, 31 Jan 2003 23:30:00 -0500\r\n\r\nbody\r\n   S: … | a OK
C: b APPEND INBOX " 2-Feb-2003 00:00:00 +0000" {45+}\r\nDate: Sat, 01 Feb 2003 00:30:00 +0500\r\n\r\nbody\r\n   S: … | b OK
C: c APPEND INBOX "28-Feb-2004 12:00:00 +0000" {14+}\r\nSubject: x\r\n\r\n   S: … | c OK
C: d SEARCH ON 1-Feb-2003              S: * SEARCH 1 | d OK
C: e SEARCH ON 2-Feb-2003              S: * SEARCH 2 | e OK
C: f SEARCH SINCE 2-Feb-2003           S: * SEARCH 2 3 | f OK
C: g SEARCH BEFORE 2-Feb-2003          S: * SEARCH 1 | g OK
C: h SEARCH SENTON 31-Jan-2003         S: * SEARCH 1 | h OK
C: i SEARCH SENTON 1-Feb-2003          S: * SEARCH 2 | i OK
C: j SEARCH SENTBEFORE 1-Feb-2003      S: * SEARCH 1 | j OK
C: k SEARCH SENTSINCE 1-Feb-2003 1:2   S: * SEARCH 2 | k OK
C: l SEARCH ON "1-Feb-2003"            S: * SEARCH 1 | l OK
C: m SEARCH ON 01-FEB-2003             S: * SEARCH 1 | m OK
C: n SEARCH ON 30-Feb-2003             S: n BAD
C: o SEARCH ON 2003-02-01              S: o BAD
C: p SEARCH ON yesterday               S: p BAD
C: q SEARCH NOT SINCE 2-Feb-2003       S: * SEARCH 1 | q OK
C: r SEARCH SINCE 1-Feb-2003 BEFORE 3-Feb-2003   S: * SEARCH 1 2 | r OK
