#include "src/imap/section.h"

bool section_is_filtered(const struct fetch_section *s)
{
    return s->text == FETCH_TEXT_HEADER_FIELDS || s->text == FETCH_TEXT_HEADER_FIELDS_NOT;
}

bool section_range(const Store__Row *row, const struct mime_part *root, const struct fetch_section *s,
                   struct mime_range *out)
{
    static const enum mime_section_kind kinds[] = {
        [FETCH_TEXT_ALL] = MIME_SECTION_ALL,
        [FETCH_TEXT_HEADER] = MIME_SECTION_HEADER,
        [FETCH_TEXT_HEADER_FIELDS] = MIME_SECTION_HEADER,
        [FETCH_TEXT_HEADER_FIELDS_NOT] = MIME_SECTION_HEADER,
        [FETCH_TEXT_TEXT] = MIME_SECTION_TEXT,
        [FETCH_TEXT_MIME] = MIME_SECTION_MIME,
    };
    struct mime_section part = { s->path, s->npath, kinds[s->text] };

    if (s->npath)
        return root && mime_section_find(root, &part, out) == 1 && out->offset <= row->bytes &&
               out->bytes <= row->bytes - out->offset;
    if (part.kind == MIME_SECTION_ALL)
        *out = (struct mime_range){ 0, row->bytes };
    else if (part.kind == MIME_SECTION_HEADER)
        *out = (struct mime_range){ 0, row->header_bytes };
    else
        *out = (struct mime_range){ row->header_bytes, row->bytes - row->header_bytes };
    return row->header_bytes <= row->bytes;
}
