# RFC 5255 3.4: with a language the namespaces are told again      state auth
C: a LANGUAGE en-GB                      S: * LANGUAGE (en) | * NAMESPACE (("" "/")) NIL NIL | a OK
