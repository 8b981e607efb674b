# RFC 4959 3: the initial response; "=" is an empty one                                                         state new
C: a AUTHENTICATE PLAIN =              S: a BAD
C: b AUTHENTICATE PLAIN AHdyb25nQGV4YW1wbGUudGVzdAB3cm9uZw==   S: b NO [AUTHENTICATIONFAILED]
C: c AUTHENTICATE PLAIN c29tZW9uZQBhZGFAZXhhbXBsZS50ZXN0AHB3  S: c NO [AUTHORIZATIONFAILED]
C: d AUTHENTICATE PLAIN $PLAIN         S: d OK [CAPABILITY
