/* Names of files that are run when they are opened. */
#include "lib/spam/attach.h"

enum kind { NOTHING, RUN, DOCUMENT, IMAGE };

static const struct {
    const char *ext;
    enum kind kind;
} exts[] = {
    { "exe", RUN },       { "scr", RUN },
    { "pif", RUN },       { "bat", RUN },
    { "cmd", RUN },       { "cpl", RUN },
    { "msi", RUN },       { "msp", RUN },
    { "lnk", RUN },       { "hta", RUN },
    { "js", RUN },        { "jse", RUN },
    { "vbs", RUN },       { "vbe", RUN },
    { "wsf", RUN },       { "wsh", RUN },
    { "wsc", RUN },       { "ps1", RUN },
    { "psm1", RUN },      { "jar", RUN },
    { "reg", RUN },       { "chm", RUN },
    { "scf", RUN },       { "inf", RUN },
    { "sct", RUN },       { "msix", RUN },
    { "appx", RUN },      { "application", RUN },
    { "gadget", RUN },    { "xll", RUN },
    { "url", RUN },       { "library-ms", RUN },
    { "search-ms", RUN }, { "settingcontent-ms", RUN },
    { "ade", RUN },       { "com", RUN },
    { "dll", RUN },       { "apk", RUN },
    { "iqy", RUN },       { "mht", NOTHING },
    { "iso", IMAGE },     { "img", IMAGE },
    { "vhd", IMAGE },     { "vhdx", IMAGE },
    { "udf", IMAGE },     { "pdf", DOCUMENT },
    { "doc", DOCUMENT },  { "docx", DOCUMENT },
    { "xls", DOCUMENT },  { "xlsx", DOCUMENT },
    { "ppt", DOCUMENT },  { "pptx", DOCUMENT },
    { "jpg", DOCUMENT },  { "jpeg", DOCUMENT },
    { "png", DOCUMENT },  { "gif", DOCUMENT },
    { "txt", DOCUMENT },  { "rtf", DOCUMENT },
    { "csv", DOCUMENT },  { "zip", DOCUMENT },
    { "mp3", DOCUMENT },  { "mp4", DOCUMENT },
    { "avi", DOCUMENT },  { "htm", DOCUMENT },
    { "html", DOCUMENT }, { "wav", DOCUMENT },
    { "odt", DOCUMENT },  { "xml", DOCUMENT },
    { "eml", DOCUMENT },  { "bmp", DOCUMENT },
};

static enum kind kind_of(struct str ext)
{
    for (size_t i = 0; i < ARRAY_LEN(exts); i++)
        if (str_ieq_z(ext, exts[i].ext))
            return exts[i].kind;
    return NOTHING;
}

/* Trailing dots, spaces and quotes are dropped by the systems that run it. */
static struct str without_tail(struct str name)
{
    while (name.n && (name.p[name.n - 1] == '.' || name.p[name.n - 1] == ' ' || name.p[name.n - 1] == '"' ||
                      name.p[name.n - 1] == '\'' || name.p[name.n - 1] == '\0'))
        name.n--;
    return name;
}

static struct str cut_ext(struct str *name)
{
    ptrdiff_t dot = str_rchr(*name, '.');
    struct str ext;

    if (dot < 0)
        return STR("");
    ext = str_skip(*name, (size_t)dot + 1);
    *name = str_slice(*name, 0, (size_t)dot);
    return str_trim(ext);
}

/* U+202E and its kin turn the direction: "gpj.exe" is shown as "exe.jpg". */
static bool turns_direction(struct str name)
{
    for (size_t i = 0; i + 2 < name.n; i++)
        if ((unsigned char)name.p[i] == 0xE2 && (unsigned char)name.p[i + 1] == 0x80 &&
            ((unsigned char)name.p[i + 2] == 0xAE || (unsigned char)name.p[i + 2] == 0xAD))
            return true;
    return false;
}

void spam_name_hits(struct str name, struct spam_hits *hits)
{
    struct str rest, ext;
    enum kind k;
    bool hidden;

    name = without_tail(name);
    for (ptrdiff_t at; (at = str_rchr(name, '/')) >= 0 || (at = str_rchr(name, '\\')) >= 0;)
        name = str_skip(name, (size_t)at + 1);
    rest = name;
    ext = cut_ext(&rest);
    k = kind_of(ext);
    if (k == IMAGE)
        spam_hit(hits, SPAM_DISK_IMAGE);
    if (k != RUN)
        return;
    hidden = str_find(rest, STR("      ")) >= 0 || turns_direction(name);
    rest = without_tail(rest);
    hidden = hidden || kind_of(cut_ext(&rest)) == DOCUMENT;
    if (str_ieq_z(ext, "com") && !hidden)
        return; /* "www.example.com" is a page that somebody sent along */
    spam_hit(hits, hidden ? SPAM_EXE_DISGUISED : SPAM_EXE_NAME);
}
