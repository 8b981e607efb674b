# RFC 7162 3.2.3, RFC 5161 3.2: ENABLE QRESYNC is CONDSTORE too; what is on is not named again           state auth
C: a ENABLE QRESYNC                S: * ENABLED QRESYNC | a OK
C: b ENABLE CONDSTORE QRESYNC      S: * ENABLED | b OK
C: c ENABLE qresync X-NONE         S: * ENABLED | c OK
