/* src/mx/dmarc_note.h: what DMARC said of a message, told to the monitor, for the report that its domain asks for. */
#ifndef SRC_MX_DMARC_NOTE_H
#define SRC_MX_DMARC_NOTE_H
#include "src/common/smtp_session.h"

/* After the verdict; refused: for DMARC. Nothing unless mx.dmarc_reports is on and the domain wants reports; never of what
 * comes to the address our own reports are from, or from its domain, so that no two servers report each other's reports
 * for ever. */
void mx_dmarc_note(const struct smtp_session *s, bool refused);
#endif
