# RFC 7377 2.1, 2.2, 3: several mailboxes, none of them selected; who has nothing is not told      state auth
C: a CREATE folder1                             S: a OK
C: b CREATE folder2/banana                      S: b OK
C: c CREATE folder2/peach/pit                   S: c OK
C: d CREATE folder2/salmon                      S: d OK
C: e APPEND folder1 {17+}\r\nSubject: chad\r\n\r\n    S: e OK
C: f APPEND folder1 (\Seen) {17+}\r\nSubject: chad\r\n\r\n    S: f OK
C: g APPEND folder1 {18+}\r\nSubject: other\r\n\r\n    S: g OK
C: h APPEND folder2/banana {17+}\r\nSubject: chad\r\n\r\n    S: h OK
C: i APPEND folder2/peach (\Seen) {17+}\r\nSubject: chad\r\n\r\n    S: i OK
C: j APPEND folder2/peach/pit {17+}\r\nSubject: chad\r\n\r\n    S: j OK
C: tag1 ESEARCH IN (mailboxes "folder1" subtree "folder2") unseen
S: * ESEARCH (TAG "tag1" MAILBOX folder1 UIDVALIDITY $v1) UID ALL 1,3
S: * ESEARCH (TAG "tag1" MAILBOX folder2/banana UIDVALIDITY $v2) UID ALL 1
S: * ESEARCH (TAG "tag1" MAILBOX folder2/peach/pit UIDVALIDITY $v3) UID ALL 1 | tag1 OK
C: tag2 ESEARCH IN (mailboxes "folder1" subtree-one "folder2") subject "chad"
S: * ESEARCH (TAG "tag2" MAILBOX folder1 UIDVALIDITY $v1) UID ALL 1:2
S: * ESEARCH (TAG "tag2" MAILBOX folder2/banana UIDVALIDITY $v2) UID ALL 1
S: * ESEARCH (TAG "tag2" MAILBOX folder2/peach UIDVALIDITY $v4) UID ALL 1 | tag2 OK
C: k STATUS folder2/banana (UIDVALIDITY)        S: * STATUS folder2/banana (UIDVALIDITY $v2) | k OK
# result options are of each mailbox
C: l ESEARCH IN (personal) RETURN (MIN MAX COUNT) SUBJECT chad UNSEEN
S: * ESEARCH (TAG "l" MAILBOX folder1 UIDVALIDITY $v1) UID MIN 1 MAX 1 COUNT 1
S: * ESEARCH (TAG "l" MAILBOX folder2/banana UIDVALIDITY $v2) UID MIN 1 MAX 1 COUNT 1
S: * ESEARCH (TAG "l" MAILBOX folder2/peach/pit UIDVALIDITY $v3) UID MIN 1 MAX 1 COUNT 1 | l OK
C: m ESEARCH IN (mailboxes folder1) RETURN (PARTIAL 2:5) ALL
S: * ESEARCH (TAG "m" MAILBOX folder1 UIDVALIDITY $v1) UID PARTIAL (2:5 2:3) | m OK
C: n ESEARCH IN (mailboxes (folder1 nowhere folder1) personal) SUBJECT other
S: * ESEARCH (TAG "n" MAILBOX folder1 UIDVALIDITY $v1) UID ALL 3 | n OK
C: o ESEARCH IN (inboxes) ALL                   S: o OK
C: p SUBSCRIBE folder1                          S: p OK
C: q ESEARCH IN (subscribed) SUBJECT chad SEEN
S: * ESEARCH (TAG "q" MAILBOX folder1 UIDVALIDITY $v1) UID ALL 2 | q OK
# numbers and sets are those of each mailbox, and no error beyond the end
C: r ESEARCH IN (subtree (folder1 folder2)) 2:100
S: * ESEARCH (TAG "r" MAILBOX folder1 UIDVALIDITY $v1) UID ALL 2:3 | r OK
C: s ESEARCH IN (subtree (folder1 folder2)) UID *
S: * ESEARCH (TAG "s" MAILBOX folder1 UIDVALIDITY $v1) UID ALL 3
S: * ESEARCH (TAG "s" MAILBOX folder2/banana UIDVALIDITY $v2) UID ALL 1
S: * ESEARCH (TAG "s" MAILBOX folder2/peach UIDVALIDITY $v4) UID ALL 1
S: * ESEARCH (TAG "s" MAILBOX folder2/peach/pit UIDVALIDITY $v3) UID ALL 1 | s OK
C: t ESEARCH IN (mailboxes folder1) MODSEQ 1 SEEN
S: * ESEARCH (TAG "t" MAILBOX folder1 UIDVALIDITY $v1) UID ALL 2 MODSEQ $m | t OK
