# RFC 5530 3, LIMIT: an alias has 60 connections, IMAP and POP3 together; one that ends makes room for another   clients 62, state new
C1..60: a LOGIN $ADDRESS $PASSWORD
S1..60: a OK
C61: a LOGIN $ADDRESS $PASSWORD
S61: a NO [LIMIT] Too many connections to this mailbox at once
C7: b LOGOUT
S7: * BYE See you later | b OK | EOF
C61: b LOGIN $ADDRESS $PASSWORD
S61: b OK
C62: c LOGIN $ADDRESS $PASSWORD
S62: c NO [LIMIT] Too many connections to this mailbox at once
