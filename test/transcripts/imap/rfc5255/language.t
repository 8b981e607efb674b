# RFC 5255 3.2, 3.3: English by its name, in every state; what is not spoken is a NO      clear
S: * OK [CAPABILITY … LANGUAGE …
C: a LANGUAGE                            S: * LANGUAGE (en i-default) | a OK
C: b LANGUAGE MUL                        S: b NO
C: c LANGUAGE FR-CA EN-CA                S: * LANGUAGE (en) | c OK
C: d LANGUAGE "default"                  S: * LANGUAGE (i-default) | d OK
C: e LANGUAGE ""                         S: e BAD
