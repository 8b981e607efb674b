#!/usr/bin/env node
// tools/lint.mjs: what no compiler checks, as TAP. With --format it formats the C of the tree instead.
//
// A check is a function from the tree to a list of complaints, `file:line: words`. It sees tracked files
// and new ones that are not ignored. C is looked at with comments blanked out (`code`), and for most
// checks with the text of strings blanked too (`bare`); both keep every line where it was.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

process.chdir(path.dirname(path.dirname(fileURLToPath(import.meta.url))));

const FUNCTION_LINES_MAX = 80, FILE_LINES_MAX = 850;

// What each folder of lib/ may include beside lib/base. It must stay free of cycles: the order of the
// rows is the order of the arrows, and a row may name only rows above it.
const lib_may_include = {
  base: [],
  conf: [],
  crypto: [],
  sandbox: [],
  mime: [],
  db: ['crypto'],
  tls: [],
  event: ['tls'],
  rpc: ['event', 'tls'],
  imap: ['mime'],
  smtp: ['mime', 'crypto'],
  pop3: [],
  http: ['event', 'tls'],
  s3: ['http', 'event'],
  schedule: [],
  dns: ['event', 'tls'],
  mailauth: ['mime', 'dns', 'crypto'],
  regex: ['mime'],
  match: ['mime', 'regex'],
  spam: ['mime', 'mailauth'],
  port: ['db'],
};
// Generated or vendored headers, and who may see them.
const other_includes = [
  { from: /^(lib\/rpc|lib\/mime|src|test|bench)\//, what: /^proto\/[a-z_]+\.pb-c\.h$/ },
  { from: /^(lib\/db|src|test|bench)\//, what: /^sql\// },
  { from: /^(lib\/crypto|vendor)\//, what: /^vendor\/[a-z0-9]+\.h$/ },
  { from: /^vendor\/mlkem768\.c$/, what: /^(common\/)?[a-z0-9-]+\.c$/ }, // PQClean's files as one
];

const banned = {
  'has no limit on what it writes': ['strcpy', 'strcat', 'sprintf', 'vsprintf', 'gets', 'stpcpy', 'wcscpy', 'alloca', 'strncat'],
  'leaves strings without an end': ['strncpy'],
  'keeps hidden state': ['strtok', 'strtok_r', 'localtime', 'gmtime', 'ctime', 'asctime', 'gethostbyname', 'inet_ntoa', 'rand', 'srand', 'random'],
  'hides errors': ['atoi', 'atol', 'atoll', 'atof', 'inet_addr'],
  'starts a shell': ['system', 'popen'],
  'races': ['tmpnam', 'tempnam', 'mktemp', 'vfork'],
};

const sql_builders = /\b(?:v?s?n?printf|v?asprintf|dprintf|buf_v?printf|buf_append\w*|buf_put\w*|arena_\w*printf|str_cat\w*|sqlite3_v?s?n?m?printf|sqlite3_str_append\w*)\s*\(/g;
const sql_text = /\bSELECT\b.*\bFROM\b|\bINSERT\s+(OR\s+\w+\s+)?INTO\b|\bUPDATE\s+[\w%."]+\s+SET\b|\bDELETE\s+FROM\b|\bPRAGMA\s|\bVACUUM\s|\bATTACH\s+(DATABASE\b|['%?])|\b(CREATE|DROP)\s+(VIRTUAL\s+)?(TABLE|INDEX|TRIGGER)\b/;

// ---- the tree -----------------------------------------------------------------------------------

const names = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { maxBuffer: 1 << 26 })
  .toString().split('\0').filter((f) => f && existsSync(f) && statSync(f).isFile());
// Programs that only tests and measurements run: they may start a shell and name a page size in SQL.
const is_test = (name) => /_test\.c$|^(test|bench)\/|^lib\/db\/oracle\.c$/.test(name);
const is_seed = (name) => /^test\/(fuzz\/corpus|data)\//.test(name);

// Blanks comments, and strings when asked, keeping line ends and the quotes themselves.
function blank(text, strings) {
  return text.replace(/\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:\\[\s\S]|[^"\\\n])*"|'(?:\\[\s\S]|[^'\\\n])*'/g, (m) => {
    if (m[0] === '/')
      return m.replace(/[^\n]/g, ' ');
    return strings ? m[0] + m.slice(1, -1).replace(/[^\n]/g, ' ') + m[0] : m;
  });
}

const files = names.map((name) => {
  const bytes = readFileSync(name), c = /\.[ch]$/.test(name);
  const text = bytes.includes(0) ? '' : bytes.toString('utf8');
  const code = c ? blank(text, false) : '', bare = c ? blank(text, true) : '';
  return { name, bytes, text, c, code, bare, lines: text.split('\n'), bare_lines: bare.split('\n') };
});
const text_files = files.filter((f) => f.text && !is_seed(f.name));
const c_files = files.filter((f) => f.c);
const line_at = (text, index) => text.slice(0, index).split('\n').length;

// Complaints for every line of `lines` of every file that matches.
const grep = (list, lines, re, words) => list.flatMap((f) => lines(f).flatMap((line, i) => {
  const m = re.exec(line);
  return m ? [`${f.name}:${i + 1}: ${words(m)}`] : [];
}));

// ---- checks -------------------------------------------------------------------------------------

function include_allowed(from, what) {
  const [, role] = /^src\/(\w+)\//.exec(from) ?? [], [, role_of] = /^src\/(\w+)\//.exec(what) ?? [];
  const [, lib] = /^lib\/(\w+)\//.exec(from) ?? [], [, lib_of] = /^lib\/(\w+)\//.exec(what) ?? [];

  if (other_includes.some((o) => o.from.test(from) && o.what.test(what)))
    return true;
  if (/^(test|bench)\//.test(from) || from === `${what.slice(0, -2)}.c`)
    return true;
  if (lib_of)
    return !lib || lib_of === lib || lib_of === 'base' || (lib_may_include[lib] ?? []).includes(lib_of);
  if (role_of)
    return !lib && (role_of === 'common' || role_of === role || /^src\/[^/]+\.c$/.test(from));
  return false;
}

function include_arrows() {
  const order = Object.keys(lib_may_include);
  const cycles = order.flatMap((lib, i) => lib_may_include[lib].filter((l) => order.indexOf(l) >= i || order.indexOf(l) < 0)
    .map((l) => `tools/lint.mjs: lib/${lib} names lib/${l}, which does not stand above it`));

  return cycles.concat(c_files.flatMap((f) => [...f.code.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)]
    .filter((m) => !include_allowed(f.name, m[1]))
    .map((m) => `${f.name}:${line_at(f.code, m.index + m[0].indexOf('#'))}: may not include "${m[1]}" (paths are from the root; roles and libraries keep to their arrows)`)));
}

function banned_functions() {
  const list = c_files.filter((f) => f.name !== 'lib/base/banned.h');
  return Object.entries(banned).flatMap(([why, functions]) =>
    grep(list.filter((f) => why !== 'starts a shell' || !is_test(f.name)), (f) => f.bare_lines, new RegExp(`(?<![\\w.>])(${functions.join('|')})\\s*\\(`), (m) => `${m[1]} ${why}`));
}

// The text of a call's arguments: from its opening parenthesis to the one that closes it.
function arguments_at(code, open) {
  const bare = blank(code.slice(open, open + 4000), true);
  let depth = 0;
  for (let i = 0; i < bare.length; i++) {
    depth += bare[i] === '(' ? 1 : bare[i] === ')' ? -1 : 0;
    if (depth === 0)
      return code.slice(open, open + i);
  }
  return '';
}

function built_sql() {
  return c_files.filter((f) => !is_test(f.name)).flatMap((f) => [...f.code.matchAll(sql_builders)].flatMap((m) => {
    const args = arguments_at(f.code, m.index + m[0].length - 1);
    const text = [...args.matchAll(/"((?:\\.|[^"\\])*)"/g)].map((s) => s[1]).join('');
    return sql_text.test(text) ? [`${f.name}:${line_at(f.code, m.index)}: SQL is fixed text with bound parameters`] : [];
  }));
}

// In our format a function opens and closes with a brace in the first column.
function function_length() {
  return c_files.flatMap((f) => {
    const bad = [];
    let open = -1;
    f.bare_lines.forEach((line, i) => {
      if (line === '{')
        open = i;
      if (line === '}' && open >= 0) {
        if (i - open + 1 > FUNCTION_LINES_MAX)
          bad.push(`${f.name}:${open + 1}: a function of ${i - open + 1} lines, over ${FUNCTION_LINES_MAX}`);
        open = -1;
      }
    });
    return bad;
  });
}

const file_length = () => text_files
  .filter((f) => /\.(c|h|mjs|js|ts|proto|sql)$/.test(f.name) && f.lines.length - 1 > FILE_LINES_MAX)
  .map((f) => `${f.name}: ${f.lines.length - 1} lines, over ${FILE_LINES_MAX}`);

const left_overs = () => grep(text_files.filter((f) => !/^(tools\/lint\.mjs|package-lock\.json)$/.test(f.name)),
  (f) => f.lines, /\b(TODO|FIXME|XXX)\b/, (m) => `${m[1]}: do it, or write it where work is planned`);

const white_space = () => grep(text_files, (f) => f.lines, /[ \t\r]+$/, () => 'white space at the end of the line')
  .concat(grep(c_files, (f) => f.lines, /\t/, () => 'a tab'))
  .concat(text_files.filter((f) => !f.text.endsWith('\n')).map((f) => `${f.name}: no line end at its end`));

const struct_typedefs = () => grep(c_files, (f) => f.bare_lines, /\btypedef\s+(struct|union|enum)\b/, (m) => `a typedef hides a ${m[1]}`);

const binaries = () => files.filter((f) => f.bytes.includes(0) && !is_seed(f.name)).map((f) => `${f.name}: a binary`)
  .concat(files.filter((f) => f.bytes.length > (is_seed(f.name) ? 64 : 512) * 1024).map((f) => `${f.name}: ${f.bytes.length} bytes`));

// The command line and its manual name the same commands and options.
function manual_of_commands() {
  const ctl = readFileSync('src/ctl/ctl.c', 'utf8'), bad = [];
  const man = readFileSync('doc/letterlock.1', 'utf8').replace(/\\f[A-Z]/g, '').replace(/\\(.)/g, '$1').replace(/^\.[A-Z]+ +/gm, '').replace(/"/g, '');
  const rows = [...ctl.matchAll(/\{ "([a-z -]+)", cmd_\w+,\s*((?:"(?:\\.|[^"\\])*"\s*)+)/g)];
  const options = (text) => new Set(text.match(/--[a-z][a-z-]*/g) ?? []);
  const ours = options(rows.map((r) => r[2]).join(' ')), theirs = options(man);
  for (const [, name] of rows)
    if (!new RegExp(`^${name}\\b`, 'm').test(man))
      bad.push(`doc/letterlock.1: the command "${name}" is missing`);
  for (const o of ours)
    if (!theirs.has(o)) bad.push(`doc/letterlock.1: the option ${o} is missing`);
  for (const o of theirs)
    if (!ours.has(o) && !['--config', '--help', '--version'].includes(o)) bad.push(`doc/letterlock.1: no command has ${o}`);
  return bad.concat(rows.length < 10 ? ['src/ctl/ctl.c: the table of commands was not found'] : []);
}

// What tools/setup installs stands in doc/dependencies.md with its reason, and the other way round.
function reasons_of_dependencies() {
  const script = readFileSync('tools/setup', 'utf8');
  const lists = [...script.matchAll(/^\w+_packages='([^']*)'/gm)].map((m) => m[1]).join(' ');
  const installed = new Set([...lists.split(/[\s|]+/).filter(Boolean), ...[...script.matchAll(/\$packages (\w+)"$/gm)].map((m) => m[1])]);
  const part = readFileSync('doc/dependencies.md', 'utf8').split(/^## What `tools\/setup` installs$/m)[1] ?? '';
  const told = new Set([...part.matchAll(/^\| (`[^|]*) \|/gm)].flatMap((m) => m[1].match(/[^`, ]+/g)));
  return [...installed].filter((p) => !told.has(p)).map((p) => `doc/dependencies.md: ${p} has no row`)
    .concat([...told].filter((p) => !installed.has(p)).map((p) => `doc/dependencies.md: tools/setup does not install ${p}`));
}

// Every path that the documents name is there.
const dead_links = () => text_files.filter((f) => f.name.endsWith('.md')).flatMap((f) => [...f.text.matchAll(/\]\(([^)#:]+)\)/g)]
  .filter((m) => !existsSync(path.join(path.dirname(f.name), m[1])))
  .map((m) => `${f.name}:${line_at(f.text, m.index)}: there is no ${m[1]}`));

// Who looks for something finds its folder in the map.
function map_of_folders() {
  const map = /```\n(lib\/[\s\S]*?)```/.exec(readFileSync('CONTRIBUTING.md', 'utf8'))?.[1] ?? '';
  const folders = new Set(names.flatMap((f) => /^(?:lib|src|test)\/(\w+)\//.exec(f)?.[1] ?? []));
  return [...folders].filter((d) => !new RegExp(`\\b${d}\\b`).test(map)).map((d) => `CONTRIBUTING.md: the map has no folder ${d}`);
}

// Versions of clang-format disagree in small things; 14 is the one that decides.
const formatter = () => ['clang-format-14', 'clang-format'].find((p) => spawnSync(p, ['--version']).status === 0);
const formatter_version = (p) => Number(/version (\d+)/.exec(spawnSync(p, ['--version']).stdout.toString())?.[1]);

function format() {
  const program = formatter();
  if (!program || formatter_version(program) !== 14)
    return { skip: program ? `clang-format ${formatter_version(program)} is here; 14 decides` : 'no clang-format here' };
  const r = spawnSync(program, ['--dry-run', ...c_files.map((f) => f.name)], { maxBuffer: 1 << 28 });
  const bad = new Map();
  for (const m of r.stderr.toString().matchAll(/^(\S+?):(\d+):\d+: warning: code should be clang-formatted/gm))
    if (!bad.has(m[1]))
      bad.set(m[1], m[2]);
  return [...bad].map(([file, line]) => `${file}:${line}: not formatted: make format`);
}

const checks = {
  'include arrows': include_arrows,
  'banned functions': banned_functions,
  'no SQL built by formatting': built_sql,
  'function length': function_length,
  'file length': file_length,
  'nothing left to do': left_overs,
  'white space': white_space,
  'no typedef of structs': struct_typedefs,
  'no binaries': binaries,
  'the manual names every command': manual_of_commands,
  'every dependency has a reason': reasons_of_dependencies,
  'links lead somewhere': dead_links,
  'the map has every folder': map_of_folders,
  'format': format,
};

if (process.argv[2] === '--format') {
  const program = formatter();
  if (!program || formatter_version(program) !== 14)
    console.error(`clang-format 14 decides; ${program ? `this is ${formatter_version(program)}` : 'none is here'}`);
  if (program)
    execFileSync(program, ['-i', ...c_files.map((f) => f.name)], { stdio: 'inherit' });
  process.exit(program ? 0 : 69);
}

let number = 0, failed = 0;
console.log(`1..${Object.keys(checks).length}`);
for (const [name, check] of Object.entries(checks)) {
  const complaints = check();
  number++;
  if (complaints.skip) {
    console.log(`ok ${number} - lint: ${name} # SKIP ${complaints.skip}`);
    continue;
  }
  console.log(`${complaints.length ? 'not ok' : 'ok'} ${number} - lint: ${name}`);
  for (const c of complaints)
    console.log(`#   ${c}`);
  failed += complaints.length ? 1 : 0;
}
process.exitCode = failed ? 1 : 0;
