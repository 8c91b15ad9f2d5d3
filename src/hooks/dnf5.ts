/**
 * The conversation with dnf 5's plugin "actions" in mode=json (libdnf5-actions(8)): each request is a line on standard output, each reply a
 * line on standard input. Nothing else may be written to standard output meanwhile. It takes plugin 1.4.0, which came with dnf 5.2.11: older
 * ones do not know `stop`, and those before 1.3.0 (dnf 5.2.10) refuse a file that names the callback goal_resolved.
 *
 *     > {"op":"get","domain":"trans_packages","args":{"output":["direction","name",…]}}
 *     < { "op": "reply", "requested_op": "get", "domain": "trans_packages", "status": "OK", "return": { "trans_packages": [ … ] } }
 *
 * dnf 5 does not say where the file of a package is. A package of the command line has its path as location; others are in the cache,
 * in `CACHEDIR/REPOSITORY-HASH/packages`, or, of a repository on this machine, below its baseurl.
 */

import type { Report } from '../check.ts';
import { codesIn } from '../defaults.ts';
import { attempt, Corrupt, Io, Usage } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { fromLatin1, latin1, utf8 } from '../read/bytes.ts';
import { printable } from '../report/printable.ts';
import { inputLimit, type Transaction } from '../state/transaction.ts';
import { ancestorsOf, argumentsOf } from './ancestors.ts';
import { belowARoot, changesOf, type Row, rootOf, understood } from './changes.ts';

type Fields = Readonly<Record<string, unknown>>;

/** `deadline`: of the whole conversation. Throws Corrupt (no reply, or none of the protocol), Io (an error is replied), LimitExceeded. */
export async function askDnf5(host: Host, deadline: number): Promise<Transaction> {
  const conversation = new Conversation(host, deadline);
  try {
    const output = ['direction', 'action', 'name', 'arch', 'evr', 'repo_id', 'location'];
    const told = await conversation.get('trans_packages', { output }, 'trans_packages');
    const incoming = told.filter((fields) => fields.direction === 'IN' && fields.action !== '?');
    const root = rootOf(await value(conversation, 'installroot'));
    const archives = incoming.length === 0 ? null : await Archives.ask(host, conversation, incoming);
    const { rows, ...mistakes } = understood(told, (entry, index): Row[] => {
      const fields = entry as Fields;
      const place = `trans_packages[${index}]`;
      const direction = text(fields.direction, `${place}.direction`);
      if (direction !== 'IN' && direction !== 'OUT') {
        throw new Corrupt(`dnf5's reply: ${place}.direction is neither IN nor OUT: ${direction}`);
      }
      // Only the reason for which it is installed changes.
      if (fields.action === '?') return [];
      return [
        {
          direction: direction === 'IN' ? 'in' : 'out',
          name: text(fields.name, `${place}.name`),
          arch: text(fields.arch, `${place}.arch`),
          evr: text(fields.evr, `${place}.evr`),
          archive: direction === 'IN' ? (archives?.pathOf(fields) ?? null) : null,
          provides: null,
        },
      ];
    });
    const variables = new Map(
      (await conversation.getIfAny('vars', { name: 'kata_check*' }, 'vars')).map(({ name, value: set }) => [name, set]),
    );
    const mode = variables.get('kata_check');
    const allow = variables.get('kata_check_allow');
    return {
      manager: 'dnf5',
      root,
      changes: changesOf(rows),
      ...mistakes,
      mode: typeof mode === 'string' && mode !== '' ? mode : null,
      allow: typeof allow === 'string' ? codesIn(allow) : [],
    };
  } finally {
    await conversation.close();
  }
}

/** What stops dnf 5 for what was found. */
export function stopFor({ findings }: Report): string {
  const blocks = findings.filter(({ severity }) => severity === 'block');
  return stopRequest(`kata-check: ${printable(blocks.map(({ title, code }) => `[${code}] ${title}`).join('; '))}`);
}

/** What makes dnf 5 stop; it shows the message in a line of its own. */
export function stopRequest(message: string): string {
  return `${JSON.stringify({ op: 'stop', args: { message } })}\n`;
}

class Conversation {
  readonly #host: Host;
  readonly #pieces: AsyncIterator<Uint8Array>;
  #rest = '';
  #hasEnded = false;

  constructor(host: Host, deadline: number) {
    this.#host = host;
    this.#pieces = host.input(0, inputLimit, deadline)[Symbol.asyncIterator]();
  }

  async close(): Promise<void> {
    await this.#pieces.return?.();
  }

  /** The list `name` of the reply. */
  async get(domain: string, args: Fields, name: string): Promise<Fields[]> {
    this.#host.write(1, `${JSON.stringify({ op: 'get', domain, args })}\n`);
    const reply = record(parseJson(await this.#line()), 'the reply');
    if (reply.op !== 'reply' || reply.requested_op !== 'get' || reply.domain !== domain) {
      throw new Corrupt(`dnf5's reply is to another request than for ${domain}`);
    }
    if (reply.status !== 'OK') {
      throw new Io(
        `dnf5 does not tell its ${domain}: ${typeof reply.message === 'string' ? reply.message : 'no reason given'}`,
      );
    }
    const list = record(reply.return, 'return')[name];
    if (!Array.isArray(list)) throw new Corrupt(`dnf5's reply: return.${name} is no list`);
    return list.map((entry: unknown, index) => record(entry, `${name}[${index}]`));
  }

  /** Empty when dnf replies with an error: an older plugin may not know all of it. */
  async getIfAny(domain: string, args: Fields, name: string): Promise<Fields[]> {
    try {
      return await this.get(domain, args, name);
    } catch (error) {
      if (error instanceof Io) return [];
      throw error;
    }
  }

  async #line(): Promise<string> {
    // Gathered in a list: a reply of megabytes comes in hundreds of pieces.
    const parts: string[] = [];
    for (;;) {
      const end = this.#rest.indexOf('\n');
      if (end !== -1) {
        parts.push(this.#rest.slice(0, end));
        this.#rest = this.#rest.slice(end + 1);
        const line = parts.join('');
        if (line.trim() !== '') return utf8(fromLatin1(line)) ?? line;
        parts.length = 0;
        continue;
      }
      parts.push(this.#rest);
      this.#rest = '';
      if (this.#hasEnded) throw new Corrupt('dnf5 ended the conversation before its reply');
      const next = await this.#pieces.next();
      if (next.done === true) this.#hasEnded = true;
      else this.#rest = latin1(next.value);
    }
  }
}

/** Where the files of the incoming packages are. */
class Archives {
  readonly #host: Host;
  /** By repository: the names in the folder of its packages, and the folder. */
  readonly #cached = new Map<string, { readonly folder: string; readonly names: ReadonlySet<string> }[]>();
  /** By repository: folders of this machine. */
  readonly #bases = new Map<string, readonly string[]>();

  private constructor(host: Host) {
    this.#host = host;
  }

  static async ask(host: Host, conversation: Conversation, incoming: readonly Fields[]): Promise<Archives> {
    const archives = new Archives(host);
    const repositories = new Set(incoming.map(({ repo_id: id }) => id).filter((id) => typeof id === 'string'));
    repositories.delete('@commandline');
    if (repositories.size === 0) return archives;
    for (const { key, value: urls } of await conversation.getIfAny('conf', { key: '*.baseurl' }, 'keys_val')) {
      if (typeof key !== 'string' || typeof urls !== 'string') continue;
      archives.#bases.set(key.replace(/\.baseurl$/, ''), localFolders(urls));
    }
    const cache = await conversation.getIfAny('conf', { key: 'cachedir' }, 'keys_val');
    const folder = cache[0]?.value;
    if (typeof folder === 'string' && folder.startsWith('/')) archives.#list(folder, repositories);
    return archives;
  }

  #list(cache: string, repositories: ReadonlySet<string>): void {
    for (const entry of this.#namesIn(cache)) {
      const id = /^(.+)-[0-9a-f]{16}$/.exec(entry)?.[1];
      if (id === undefined || !repositories.has(id)) continue;
      const folder = `${cache}/${entry}/packages`;
      const known = this.#cached.get(id) ?? [];
      this.#cached.set(id, [...known, { folder, names: new Set(this.#namesIn(folder)) }]);
    }
  }

  #namesIn(folder: string): string[] {
    return attempt(() => this.#host.readDirectory(folder)) ?? [];
  }

  pathOf({ repo_id: id, location }: Fields): string | null {
    if (typeof id !== 'string' || typeof location !== 'string' || location === '') return null;
    if (location.startsWith('/')) return location;
    const name = location.slice(location.lastIndexOf('/') + 1);
    const cached = this.#cached.get(id)?.find(({ names }) => names.has(name));
    if (cached !== undefined) return `${cached.folder}/${name}`;
    return (
      this.#bases
        .get(id)
        ?.map((base) => `${base}/${location}`)
        .find((path) => this.#isFile(path)) ?? null
    );
  }

  #isFile(path: string): boolean {
    return attempt(() => this.#host.status(path) !== undefined) ?? false;
  }
}

/** Of `file:///srv/repository`, several divided by commas or blanks. */
function localFolders(urls: string): string[] {
  return urls.split(/[,\s]+/).flatMap((url) => {
    const path = /^file:(?:\/\/(?:localhost)?)?(\/.*)$/.exec(url)?.[1];
    if (path === undefined) return [];
    try {
      return [decodeURIComponent(path).replace(/\/+$/, '')];
    } catch {
      return [path.replace(/\/+$/, '')];
    }
  });
}

/** Of one key of dnf's configuration. */
async function value(conversation: Conversation, key: string): Promise<string> {
  const [found] = await conversation.get('conf', { key }, 'keys_val');
  return text(found?.value, key);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new Corrupt("dnf5's reply is no JSON document");
  }
}

function record(found: unknown, place: string): Fields {
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    throw new Corrupt(`dnf5's reply: ${place} is no object`);
  }
  return found as Fields;
}

function text(found: unknown, place: string): string {
  if (typeof found !== 'string' || found === '') throw new Corrupt(`dnf5's reply: ${place} is no text`);
  return found;
}

/**
 * `planned`: when dnf 5 knows what it would do. It asks so in every run, also where it does the rest after the machine has been started again
 * (`dnf5 offline _execute`, which systemd runs): then nobody is there, and what was decided before is not decided anew. Throws Usage, and as
 * `askDnf5`.
 */
export async function dnf5Transaction(
  host: Host,
  [stage, ...rest]: readonly string[],
  deadline: number,
): Promise<Transaction | null> {
  if (rest.length > 0 || (stage !== undefined && stage !== 'planned'))
    throw new Usage('hook dnf5 takes nothing or planned');
  const dnf = ancestorsOf(host).find(({ command }) => command === 'dnf5');
  const isOffline = dnf !== undefined && argumentsOf(host, dnf).includes('_execute');
  const isPlanned = stage === 'planned';
  if (isPlanned && isOffline) return null;
  return belowARoot(host, { ...(await askDnf5(host, deadline)), isPlanned, isPart: isOffline });
}
